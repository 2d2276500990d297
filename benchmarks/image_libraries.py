"""The libraries that could decode, shrink and encode pictures, each in its fastest sensible uses."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from PIL import Image

from data_prep.images import decode_scale
from data_prep.jpeg_codec import decode_jpeg, encode_jpeg
from data_prep.shrink import shrink, shrunk_size

PILLOW = "plain Pillow"
PIXELS_OF_OURS = "simplejpeg, scaled; blur + OpenCV cubic"
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class Way:
    """One way to shrink a JPEG: `pixels` decodes and resizes, `jpeg` encodes, `rgb` is for comparing only."""

    pixels: Callable[[bytes], object]
    jpeg: Callable[[object], bytes]
    rgb: Callable[[object], np.ndarray] = np.asarray


def ways(image_px: int, quality: int) -> dict[str, Way]:
    """All that are installed, by name."""
    cv2.setNumThreads(1)
    by_pillow = partial(_pillow_jpeg, quality=quality)
    by_opencv = partial(_opencv_jpeg, quality=quality)
    by_turbo = partial(encode_jpeg, jpeg_quality=quality)

    def turbo(resize: Callable[..., np.ndarray]) -> Way:
        return Way(partial(_turbo, image_px=image_px, resize=resize), by_turbo)

    return {
        PILLOW: Way(partial(_pillow, image_px=image_px, margin=None), by_pillow),
        "Pillow, scaled to 2 x or more; bicubic": Way(partial(_pillow, image_px=image_px, margin=2), by_pillow),
        "Pillow, scaled to 1 x or more; bicubic": Way(partial(_pillow, image_px=image_px, margin=1), by_pillow),
        "OpenCV; area": Way(partial(_opencv, image_px=image_px, is_scaled=False), by_opencv, _reversed),
        "OpenCV, scaled; area": Way(partial(_opencv, image_px=image_px, is_scaled=True), by_opencv, _reversed),
        **_vips_ways(image_px, quality),
        "simplejpeg, scaled; Pillow bicubic": turbo(_by_pillow),
        "simplejpeg, scaled; OpenCV area": turbo(partial(_by_opencv, interpolation=cv2.INTER_AREA)),
        "simplejpeg, scaled; OpenCV linear": turbo(partial(_by_opencv, interpolation=cv2.INTER_LINEAR)),
        "simplejpeg, scaled; OpenCV cubic": turbo(partial(_by_opencv, interpolation=cv2.INTER_CUBIC)),
        PIXELS_OF_OURS: turbo(shrink),
    }


def _pillow(content: bytes, image_px: int, margin: int | None) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    size = shrunk_size(image.size, image_px)
    if margin is not None:
        image.draft("RGB", (size[0] * margin, size[1] * margin))
    return image.convert("RGB").resize(size, BICUBIC)


def _pillow_jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _opencv(content: bytes, image_px: int, is_scaled: bool) -> np.ndarray:
    size = Image.open(io.BytesIO(content)).size
    scale = decode_scale(size, image_px) if is_scaled else 1
    flag = {
        1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[scale]
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    return cv2.resize(bgr, shrunk_size(size, image_px), interpolation=cv2.INTER_AREA)


def _opencv_jpeg(bgr: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _reversed(bgr: np.ndarray) -> np.ndarray:
    return bgr[:, :, ::-1]


def _turbo(content: bytes, image_px: int, resize: Callable[..., np.ndarray]) -> np.ndarray:
    size = Image.open(io.BytesIO(content)).size
    scale = decode_scale(size, image_px)
    return resize(decode_jpeg(content, size, scale), size, scale, image_px)


def _by_pillow(rgb: np.ndarray, raw_size: tuple[int, int], scale: int, image_px: int) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize(shrunk_size(raw_size, image_px), BICUBIC))


def _by_opencv(
    rgb: np.ndarray, raw_size: tuple[int, int], scale: int, image_px: int, interpolation: int
) -> np.ndarray:
    return cv2.resize(rgb, shrunk_size(raw_size, image_px), interpolation=interpolation)


def _vips_ways(image_px: int, quality: int) -> dict[str, Way]:
    os.environ["VIPS_CONCURRENCY"] = "1"  # read when the library loads
    try:
        import pyvips
    except ImportError:
        print("pyvips is not installed, so not measured: pip install 'pyvips[binary]'", file=sys.stderr)
        return {}

    def pixels(content: bytes) -> pyvips.Image:
        width_px, height_px = shrunk_size(Image.open(io.BytesIO(content)).size, image_px)
        return pyvips.Image.thumbnail_buffer(content, width_px, height=height_px, size="force", no_rotate=True)

    def jpeg(image: pyvips.Image) -> bytes:
        return image.jpegsave_buffer(Q=quality, subsample_mode="on")

    return {"libvips thumbnail": Way(pixels, jpeg, lambda image: image.numpy())}
