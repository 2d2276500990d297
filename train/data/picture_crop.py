"""A random crop of a JPEG as a square of pixels: how far to decode, which box, how it is turned, in one pass."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.jpeg_codec import SCALES
from train.data.pixel_changes import between

# Aspect ratio of a crop against that of the whole image: the image is squashed to a square when it is
# embedded, so the crop keeps the image's own shape, give or take this.
MAX_CROP_STRETCH = 4 / 3
# Linear interpolation looks at two pixels a side: a stronger reduction than this would skip some.
MAX_LINEAR_REDUCTION = 2.3
# A crop may be decoded at so much of the wanted side and be enlarged.
MIN_DECODED = 0.85

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, width, height in pixels
Warp = tuple[float, float, float, float]  # shift to the right, shift down (shares of the side), scale, turn in radians


def crop_box(size: tuple[int, int], min_crop_scale: float, draws: Iterator[float]) -> Box:
    """A crop with `min_crop_scale`..1 of the area, anywhere inside the image."""
    area = between(min_crop_scale, 1.0, next(draws))
    # A stretch beyond 1 / area would need a side longer than the image's.
    stretch = min(MAX_CROP_STRETCH, 1.0 / area) ** between(-1.0, 1.0, next(draws))
    width, height = min(size[0], size[0] * (area * stretch) ** 0.5), min(size[1], size[1] * (area / stretch) ** 0.5)
    return next(draws) * (size[0] - width), next(draws) * (size[1] - height), width, height


def decode_scale(box: Box, image_px: int) -> int:
    """The strongest reduction that the decoder can do and still leave the crop about `image_px` a side."""
    return next(scale for scale in SCALES if scale == 1 or min(box[2:]) >= MIN_DECODED * scale * image_px)


def cut_out_square(rgbx: Pixels, box: Box, flip: bool, image_px: int, warp: Warp | None) -> Pixels:
    """The crop as uint8 [image_px, image_px, 3], by linear interpolation; beyond the picture's edge it is mirrored."""
    rgbx = _softened(rgbx, box, image_px)
    if warp is None:
        height_px, width_px = rgbx.shape[:2]
        left, top = min(round(box[0]), width_px - 1), min(round(box[1]), height_px - 1)
        right, bottom = max(left + 1, round(box[0] + box[2])), max(top + 1, round(box[1] + box[3]))
        square = cv2.resize(rgbx[top:bottom, left:right], (image_px, image_px), interpolation=cv2.INTER_LINEAR)
        square = cv2.cvtColor(square, cv2.COLOR_RGBA2RGB)
        return cv2.flip(square, 1) if flip else square
    square = cv2.warpAffine(
        rgbx, warp_matrix(box, flip, image_px, warp), (image_px, image_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101,
    )
    return cv2.cvtColor(square, cv2.COLOR_RGBA2RGB)


def warp_matrix(box: Box, flip: bool, image_px: int, warp: Warp) -> NDArray[np.float64]:
    """[2, 3]: column and row of an output pixel -> column and row in the picture.

    The crop `box` (left, top, width, height) fills the square; the square is flipped, then scaled and turned about its
    centre and shifted, as `warp` says (shares of the side, factor, radians).
    """
    right, down, scale, turn = warp
    cosine, sine = math.cos(turn) / scale / image_px, math.sin(turn) / scale / image_px
    mirror = -1.0 if flip else 1.0
    # From the pixel's centre, relative to where the square's centre has gone, back to a share of the crop's sides.
    x0, y0 = 0.5 - image_px * (0.5 + right), 0.5 - image_px * (0.5 + down)
    return np.array([
        [mirror * box[2] * cosine, mirror * box[2] * sine,
         box[2] * (0.5 + mirror * (cosine * x0 + sine * y0)) + box[0] - 0.5],
        [-box[3] * sine, box[3] * cosine, box[3] * (0.5 - sine * x0 + cosine * y0) + box[1] - 0.5],
    ])


def _softened(rgbx: Pixels, box: Box, image_px: int) -> Pixels:
    """The picture, averaged over as many pixels as linear interpolation alone would skip."""
    sides_px = [1 + 2 * int(side / image_px / 2) if side > MAX_LINEAR_REDUCTION * image_px else 1 for side in box[2:]]
    return rgbx if max(sides_px) == 1 else cv2.blur(rgbx, sides_px, borderType=cv2.BORDER_REFLECT_101)
