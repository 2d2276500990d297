"""The one door of simplejpeg (libjpeg-turbo): JPEG bytes to pixels at a power-of-two scale, and back.

`benchmarks/images.py` holds the measurements that chose it.
"""

import numpy as np
import simplejpeg

SCALES = (8, 4, 2, 1)  # a side becomes ceil(side / scale); libjpeg-turbo has fast code for these


def decode_jpeg(content: bytes, size: tuple[int, int], scale: int, quickly: bool = False) -> np.ndarray | None:
    """uint8 [ceil(H/scale), ceil(W/scale), 3] RGB, or None for a file that libjpeg-turbo has any complaint about.

    A complaint may be a warning only, for which other decoders still show a picture: ask one of them.

    Args:
        size: (width, height) in the file's header, in pixels.
        scale: one of SCALES.
        quickly: repeat chroma over its two by two pixels instead of interpolating it: 8 % less time, for training.
    """
    width_px, height_px = (-(-side // scale) for side in size)
    try:
        # Without a lower limit there is no scaling; with one, the smallest picture that reaches it is decoded.
        limits = {"min_width": width_px, "min_height": height_px} if scale > 1 else {}
        pixels = simplejpeg.decode_jpeg(content, "RGB", strict=True, fastupsample=quickly, **limits)
    except ValueError:  # the library's only error for content it cannot decode cleanly
        return None
    # Another size: a header that this library reads otherwise, or a scale that is not in its list.
    return pixels if pixels.shape == (height_px, width_px, 3) else None


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels as the header says, or None for a header that libjpeg-turbo does not take."""
    try:
        height_px, width_px = simplejpeg.decode_jpeg_header(content)[:2]
    except ValueError:
        return None
    return width_px, height_px


def encode_jpeg(rgb: np.ndarray, jpeg_quality: int) -> bytes:
    """Baseline JPEG with 4:2:0 chroma, Pillow's default too; `jpeg_quality` 1 to 100."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), jpeg_quality, "RGB", "420", fastdct=False)


def codec_version() -> str:
    """Version of the package, which brings its own libjpeg-turbo."""
    return simplejpeg.__version__
