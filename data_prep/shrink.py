"""Pixels -> fewer pixels with an antialiased filter, several times faster than Pillow's.

Pillow's bicubic filter grows with the reduction: that is what keeps it from aliasing, and what makes it slow. Here a
blur over three pixels does that part and OpenCV's plain bicubic interpolation the rest; both have vector code. It
serves up to a reduction of MAX_BLURRED_REDUCTION; beyond it, the mean over each output pixel's area is as good.
`benchmarks/images.py` measures how close the result is to Pillow's.
"""

from functools import cache
from types import ModuleType

import numpy as np

MAX_BLURRED_REDUCTION = 2.3
# The side weights of the blur, (w, 1 - 2 w, w), that come closest to Pillow's antialiased bicubic grow in a line from
# nothing at a reduction of 1 (found by trying weights from 0 to 0.26 on reductions from 1.0 to 2.0).
BLUR_PER_REDUCTION = 0.25
MAX_BLUR = 0.25  # (1, 2, 1) / 4: the finest pattern is gone; more would turn it into its negative


def shrink(rgb: np.ndarray, raw_size: tuple[int, int], decoded_scale: int, image_px: int) -> np.ndarray:
    """uint8 [h,w,3] -> uint8 with the shorter side `image_px`; as it is if the raw picture is no larger than that.

    Args:
        rgb: the picture, decoded at 1 / `decoded_scale` of its size; the sides rounded up.
        raw_size: (width, height) of the whole picture in pixels. Where a side is no multiple of the scale, the last
            decoded column or row covers more than is there: the result would be out of place by a part of a pixel.
    """
    shorter_px = min(raw_size)
    if shorter_px <= image_px:
        return rgb
    width_px, height_px = shrunk_size(raw_size, image_px)
    reduction = shorter_px / decoded_scale / image_px
    rgb, interpolation = softened(rgb, (reduction, reduction))
    factors = {"fx": width_px * decoded_scale / raw_size[0], "fy": height_px * decoded_scale / raw_size[1]}
    # OpenCV takes the size from the decoded picture, which may make it a pixel too long.
    resized = _opencv().resize(rgb, None, **factors, interpolation=interpolation)[:height_px, :width_px]
    assert resized.shape[:2] == (height_px, width_px), (resized.shape, raw_size, decoded_scale, image_px)
    return resized


def softened(
    rgb: np.ndarray, reductions: tuple[float, float], max_blurred: float = MAX_BLURRED_REDUCTION
) -> tuple[np.ndarray, int]:
    """The picture blurred as far as the reductions (of the width, of the height) want it, and which of OpenCV's
    interpolations then does the rest: beyond `max_blurred` the mean of the area, on the picture as it is."""
    cv2 = _opencv()
    if max(reductions) > max_blurred:
        return rgb, cv2.INTER_AREA
    sides = [min(MAX_BLUR, max(0.0, reduction - 1) * BLUR_PER_REDUCTION) for reduction in reductions]
    if any(sides):
        kernels = [np.array([side, 1 - 2 * side, side], dtype=np.float32) for side in sides]
        rgb = cv2.sepFilter2D(rgb, -1, *kernels, borderType=cv2.BORDER_REPLICATE)
    return rgb, cv2.INTER_CUBIC


def shrunk_size(size: tuple[int, int], image_px: int) -> tuple[int, int]:
    """(width, height) with the shorter side `image_px` and the same shape, to the nearest pixel."""
    width_px, height_px = (max(image_px, round(side * image_px / min(size))) for side in size)
    return width_px, height_px


def resizer_version() -> str:
    """Version of the library that decides the resized pixels."""
    return _opencv().__version__


@cache
def _opencv() -> ModuleType:
    import cv2  # slow to load, so not for --help

    cv2.setNumThreads(1)  # pictures are the unit of parallel work here
    return cv2
