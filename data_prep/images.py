"""Image bytes -> RGB JPEG bytes of the wanted size, or the reason why not.

The shorter side becomes `image_px`; nothing is ever enlarged. A picture that is already a baseline RGB JPEG
of at most that size keeps its bytes as they are, metadata included: no second encoding. Everything else is
decoded (JPEGs at a power-of-two scale close to the goal), turned into RGB, resized with an antialiased filter
and encoded once. Colour profiles are not applied: the host's own loader does not apply them either.

Pillow reads every header. RGB and grey JPEGs are then decoded by libjpeg-turbo alone (`jpeg_codec.py`), if it has
nothing to complain about; all other files, and every JPEG it complains about, are decoded and judged by Pillow.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from data_prep.crops import OUTSIDE, Box, stored_box
from data_prep.jpeg_codec import SCALES, codec_version, decode_jpeg, encode_jpeg
from data_prep.perceptual_hash import HASHED_PX, perceptual_hash
from data_prep.shrink import resizer_version, shrink

ResultT = TypeVar("ResultT")

MAX_PIXELS = 178_956_970  # Pillow's own limit for a decompression bomb: 512 MiB as RGB
MAX_SIDE_PX = 65_500  # libjpeg's limit
ORIENTATION_TAG = 0x0112
# JPEGs are decoded at no less than this times the wanted size: closer to it, what the scaled decoding makes sharper
# than a resize would do shows in the result.
DECODE_MARGIN = 9 / 8
# Pillow's operation for each EXIF orientation that is not upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

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
    """Size of the raw picture, or of the box in it, as stored, before any EXIF rotation; the hash of these pixels.

    `phash` is None for pictures without structure (see perceptual_hash.py).
    """

    width_px: int
    height_px: int
    phash: int | None


@dataclass(frozen=True)
class Prepared:
    """A picture as it goes into a shard."""

    facts: ImageFacts
    jpeg: bytes


@dataclass(frozen=True, eq=False)
class _Part:
    """Decoded pixels of a picture, or of a box in it: uint8 RGB [h,w,3] at 1 / `scale` of `size`."""

    rgb: np.ndarray
    size: tuple[int, int]  # (width, height) in the file
    scale: int
    is_all: bool


def _without_warnings(function: Callable[..., ResultT]) -> Callable[..., ResultT]:
    """Pillow warns of broken EXIF blocks, which do no harm, and of large pictures, which are rejects here."""

    @wraps(function)
    def quiet(*args: object, **options: object) -> ResultT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **options)

    return quiet


@_without_warnings
def check_image(content: bytes, image_px: int, box: Box | None = None) -> ImageFacts | Rejected:
    """Decode the whole file as `prepare_image` does, to learn its size and hash or what is wrong with it."""
    opened = _open(content)
    if isinstance(opened, Rejected):
        return opened
    decoded = _decode_part(opened, content, image_px, box)
    return decoded if isinstance(decoded, Rejected) else _facts(decoded)


@_without_warnings
def prepare_image(
    content: bytes, image_px: int, jpeg_quality: int, apply_exif_orientation: bool = False, box: Box | None = None
) -> Prepared | Rejected:
    """RGB JPEG bytes whose shorter side is at most `image_px`, and what `check_image` says; one decoding for both.

    Args:
        content: the raw file, any of FORMATS.
        image_px: length of the shorter side; smaller pictures stay as they are.
        jpeg_quality: 1 to 95, for pictures that have to be encoded (4:2:0).
        apply_exif_orientation: turn the picture upright. Off by default, as the benchmark's reference
            pipeline and the host do not.
        box: part to cut out before the resize, in pixels of the upright picture, whatever is stored; None takes all.
    """
    opened = _open(content)
    if isinstance(opened, Rejected):
        return opened
    is_small_jpeg = min(opened.size) <= image_px and _is_baseline_rgb_jpeg(opened)
    decoded = _decode_part(opened, content, image_px, box)  # even if the bytes are kept: they must be readable
    if isinstance(decoded, Rejected):
        return decoded
    facts = _facts(decoded)
    is_final = is_small_jpeg and decoded.is_all
    orientation = _orientation(opened) if is_final or apply_exif_orientation else 1
    if is_final and orientation == 1:
        return Prepared(facts, content)
    shrunk = shrink(decoded.rgb, decoded.size, decoded.scale, image_px)
    if apply_exif_orientation and orientation != 1:
        shrunk = np.asarray(Image.fromarray(shrunk).transpose(TURNS[orientation]))
    return Prepared(facts, encode_jpeg(shrunk, jpeg_quality))


def encoder_versions() -> dict[str, str]:
    """Versions of what decides the encoded bytes and the verdicts."""
    turbo = features.version_feature("libjpeg_turbo") or features.version_codec("jpg")
    return {
        "pillow": Image.__version__,
        "libjpeg": str(turbo),
        "simplejpeg": codec_version(),
        "opencv": resizer_version(),
    }


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


def decode_scale(raw_size: tuple[int, int], image_px: int) -> int:
    """The largest power of two that leaves the shorter side as long as the resize and the hash want it; else 1."""
    least_px = max(image_px * DECODE_MARGIN, HASHED_PX)
    return next((scale for scale in SCALES if min(raw_size) >= scale * least_px), 1)


def _decode_part(image: Image.Image, content: bytes, image_px: int, box: Box | None) -> _Part | Rejected:
    """Decode the picture and cut out the box, if there is one."""
    raw_size = image.size
    part = (0, 0, *raw_size) if box is None else stored_box(box, raw_size, _orientation(image))
    if part is None:
        return Rejected(OUTSIDE, f"{raw_size[0]} x {raw_size[1]} pixels")
    size = (part[2] - part[0], part[3] - part[1])
    scale = decode_scale(size, image_px)
    rgb = _decode(image, content, scale)
    if isinstance(rgb, Rejected):
        return rgb
    scale = _decoded_scale(raw_size, rgb, scale)
    if size == raw_size:
        return _Part(rgb, size, scale, True)
    left, top = part[0] // scale, part[1] // scale
    cut = rgb[top : top - -size[1] // scale, left : left - -size[0] // scale]
    return _Part(np.ascontiguousarray(cut), size, scale, False)


def _decode(image: Image.Image, content: bytes, scale: int) -> np.ndarray | Rejected:
    """Pixels as uint8 RGB [H,W,3]; those of JPEGs divided by `scale`, other formats whole."""
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        pixels = decode_jpeg(content, image.size, scale)
        if pixels is not None:
            return pixels
    try:
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        image.load()
        rgb = _as_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # as in _open
        return _rejected_by(error)
    return rgb if isinstance(rgb, Rejected) else np.asarray(rgb)


def _decoded_scale(raw_size: tuple[int, int], rgb: np.ndarray, scale: int) -> int:
    """`scale` where the decoder has applied it, 1 where its format knows no scaling."""
    return 1 if rgb.shape[:2] == raw_size[::-1] else scale


def _facts(decoded: _Part) -> ImageFacts:
    return ImageFacts(*decoded.size, perceptual_hash(decoded.rgb))


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


def _orientation(image: Image.Image) -> int:
    """The EXIF tag, 1 to 8; 1 (upright) where there is none or the block cannot be read."""
    if image.format == "TIFF":
        return 1  # Pillow turns these itself
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except (
        Exception
    ):  # the parser raises all kinds on a broken block; the pixels are good, so the picture stays
        return 1
    return value if value in range(1, 9) else 1


def _is_baseline_rgb_jpeg(image: Image.Image) -> bool:
    return image.format == "JPEG" and image.mode == "RGB" and not image.info.get("progressive", False)
