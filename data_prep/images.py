"""Image bytes -> RGB JPEG bytes of the wanted size, or the reason why not.

The shorter side becomes `image_px`; nothing is ever enlarged. A picture that is already a baseline RGB JPEG
of at most that size keeps its bytes as they are, metadata included: no second encoding. Everything else is
decoded (JPEGs at a power-of-two scale close to the goal), turned into RGB, resized with an antialiased filter
and encoded once. Colour profiles are not applied: the host's own loader does not apply them either.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from data_prep.perceptual_hash import HASHED_PX, perceptual_hash

ResultT = TypeVar("ResultT")

MAX_PIXELS = 178_956_970  # Pillow's own limit for a decompression bomb: 512 MiB as RGB
MAX_SIDE_PX = 65_500  # libjpeg's limit
ORIENTATION_TAG = 0x0112
# JPEGs are decoded at no less than twice the wanted size, so that the resize after it decides how the result
# looks.
DRAFT_MARGIN = 2

# Formats with plain decoders only: others that Pillow knows call outside programs (EPS) or make no sense as
# photographs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True)
class Rejected:
    """Why an image was turned away: `reason` is one of a few phrases, `detail` says what was seen."""

    reason: str
    detail: str


@dataclass(frozen=True)
class ImageFacts:
    """Size of the raw picture as stored, before any EXIF rotation, and how it looks."""

    width_px: int
    height_px: int
    phash: int | None = None  # perceptual_hash of the pixels; None for flat pictures


def _without_warnings(function: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Pillow warns of broken EXIF blocks, which do no harm, and of large pictures, which are rejects here."""

    @wraps(function)
    def quiet(*args: object, **options: object) -> ResultT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **options)

    return quiet


@_without_warnings
def check_image(content: bytes) -> ImageFacts | Rejected:
    """Decode the whole file once, as small as its hash allows, to learn size and hash, or what is wrong with it.

    Whatever passes here also passes `to_jpeg`: the same opening, decoding and colour conversion runs in both.
    """
    opened = _open(content)
    if isinstance(opened, Rejected):
        return opened
    facts = ImageFacts(*opened.size)
    decoded = _decode(opened, smallest_px=HASHED_PX)
    if isinstance(decoded, Rejected):
        return decoded
    return replace(facts, phash=perceptual_hash(np.asarray(decoded)))


@_without_warnings
def to_jpeg(
    content: bytes, image_px: int, jpeg_quality: int, apply_exif_orientation: bool = False
) -> bytes | Rejected:
    """RGB JPEG bytes whose shorter side is at most `image_px`.

    Args:
        content: the raw file, any format Pillow reads.
        image_px: length of the shorter side; smaller pictures stay as they are.
        jpeg_quality: 1 to 95, for pictures that have to be encoded.
        apply_exif_orientation: turn the picture upright. Off by default, as the benchmark's reference
            pipeline and the host do not.
    """
    opened = _open(content)
    if isinstance(opened, Rejected):
        return opened
    is_final = min(opened.size) <= image_px and _is_baseline_rgb_jpeg(opened)
    decoded = _decode(opened, smallest_px=image_px * DRAFT_MARGIN)  # even if kept: it must be readable
    if isinstance(decoded, Rejected):
        return decoded
    orientation = _orientation(opened)
    if is_final and orientation == 1:
        return content
    if apply_exif_orientation and orientation != 1:
        decoded.getexif()[ORIENTATION_TAG] = orientation  # conversions may have lost it
        decoded = ImageOps.exif_transpose(decoded)
    buffer = io.BytesIO()
    _shrink(decoded, image_px).save(buffer, "JPEG", quality=jpeg_quality, exif=b"")
    return buffer.getvalue()


def encoder_versions() -> dict[str, str]:
    """Versions of what decides the encoded bytes."""
    turbo = features.version_feature("libjpeg_turbo") or features.version_codec("jpg")
    return {"pillow": Image.__version__, "libjpeg": str(turbo)}


def _open(content: bytes) -> Image.Image | Rejected:
    """Read the header; nothing is decoded yet."""
    if not content:
        return Rejected("empty file", "0 bytes")
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_HTML_STARTS):
        return Rejected("html page", start[:40].decode("ascii", "replace"))
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        # A camera's MPO holds one picture and its extras (depth, a second lens): not an animation.
        n_frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Image.DecompressionBombError as error:
        return Rejected("decompression bomb", str(error))
    except UnidentifiedImageError:
        if content.startswith(_MAGIC):
            return Rejected("damaged", "the start is that of an image, the header cannot be read")
        return Rejected("not an image", f"starts with {content[:8]!r}")
    except MemoryError:
        raise  # says something about this machine, not about the picture
    except Exception as error:  # parsers of hostile files raise all kinds; each is a row in the rejects
        return _rejected_by(error)
    if n_frames > 1:
        return Rejected("animated", f"{image.format} with {n_frames} frames")
    if image.width * image.height > MAX_PIXELS:
        return Rejected("decompression bomb", f"{image.width} x {image.height} pixels, at most {MAX_PIXELS}")
    if max(image.size) > MAX_SIDE_PX:
        return Rejected(
            "too long", f"{image.width} x {image.height} pixels, a JPEG has {MAX_SIDE_PX} at most"
        )
    return image


def _decode(image: Image.Image, smallest_px: int) -> Image.Image | Rejected:
    """Pixels as RGB; JPEGs at the smallest power-of-two scale that leaves both sides >= `smallest_px`."""
    scale = max(1.0, min(image.size) / smallest_px)
    try:
        image.draft(None, (int(image.width / scale), int(image.height / scale)))
        image.load()
        return _as_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # as in _open
        return _rejected_by(error)


def _rejected_by(error: Exception) -> Rejected:
    text = f"{type(error).__name__}: {error}"
    is_truncated = "truncated" in text.lower() or isinstance(error, EOFError)
    return Rejected("truncated" if is_truncated else "damaged", text)


def _as_rgb(image: Image.Image) -> Image.Image | Rejected:
    """8-bit RGB: transparency over white, 16-bit grey by its high byte, CMYK by Pillow's plain formula."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        darkest, brightest = image.getextrema()
        if darkest < 0 or brightest > 65535:
            return Rejected("unsupported pixels", f"mode {image.mode} with values {darkest} to {brightest}")
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in ("F", "LAB", "HSV"):
        return Rejected("unsupported pixels", f"mode {image.mode}")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _orientation(loaded: Image.Image) -> int:
    """The EXIF tag, 1 to 8; 1 (upright) where there is none or the block cannot be read."""
    try:
        value = loaded.getexif().get(ORIENTATION_TAG, 1)
    except (
        Exception
    ):  # the parser raises all kinds on a broken block; the pixels are good, so the picture stays
        return 1
    return value if value in range(1, 9) else 1


def _is_baseline_rgb_jpeg(image: Image.Image) -> bool:
    return image.format == "JPEG" and image.mode == "RGB" and not image.info.get("progressive", False)


def _shrink(image: Image.Image, image_px: int) -> Image.Image:
    shorter = min(image.size)
    if shorter <= image_px:
        return image
    size = tuple(max(image_px, round(side * image_px / shorter)) for side in image.size)
    return image.resize(size, Image.Resampling.BICUBIC)
