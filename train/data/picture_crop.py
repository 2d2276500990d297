"""A random crop of a JPEG as a square of pixels: which box, how far to decode, and the resize."""

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.jpeg_codec import SCALES, decode_jpeg, jpeg_size
from data_prep.shrink import softened
from train.data.readers import rgb_by_pillow

# Aspect ratio of a crop against that of the whole image: the image is squashed to a square when it is
# embedded, so the crop keeps the image's own shape, give or take this.
MAX_CROP_STRETCH = 4 / 3
# Up to here a blur and an interpolation take the place of the mean over areas, which takes three times as long. Packing
# stops earlier, for the last decibel.
MAX_BLURRED_REDUCTION = 3.0

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def crop_box(width_px: int, height_px: int, min_crop_scale: float, rng: np.random.Generator) -> Box:
    """A crop with `min_crop_scale`..1 of the area, anywhere inside the image."""
    area_draw, stretch_draw, left_draw, top_draw = rng.random(4).tolist()
    area = min_crop_scale + (1.0 - min_crop_scale) * area_draw
    # A stretch beyond 1 / area would need a side longer than the image's.
    stretch = min(MAX_CROP_STRETCH, 1.0 / area) ** (2.0 * stretch_draw - 1.0)
    width, height = width_px * (area * stretch) ** 0.5, height_px * (area / stretch) ** 0.5
    left, top = left_draw * (width_px - width), top_draw * (height_px - height)
    return left, top, min(left + width, width_px), min(top + height, height_px)


def decode_scale(box: Box, image_px: int) -> int:
    """The strongest reduction that the decoder can do and still leave both sides of the crop `image_px` or more."""
    shortest_px = min(box[2] - box[0], box[3] - box[1])
    return next(scale for scale in SCALES if scale == 1 or shortest_px >= scale * image_px)


def random_crop(jpeg: bytes, image_px: int, min_crop_scale: float, rng: np.random.Generator) -> Pixels:
    """uint8 [image_px, image_px, 3]: a crop of `crop_box`, decoded no finer than it needs to be.

    Resized as packing does it (`data_prep/shrink.py`), close to Pillow's filter, the one of inference; that itself
    takes twice as long as decoding.

    Raises:
        OSError: the bytes are no picture.
    """
    size = jpeg_size(jpeg) or rgb_by_pillow(jpeg).size
    box = crop_box(*size, min_crop_scale, rng)
    scale = decode_scale(box, image_px)
    rgb = decode_jpeg(jpeg, size, scale, quickly=True)
    if rgb is None:
        rgb, scale = np.array(rgb_by_pillow(jpeg)), 1
    return resize_crop(rgb, tuple(side / scale for side in box), image_px)


def resize_crop(rgb: Pixels, box: Box, image_px: int) -> Pixels:
    """The box, moved to whole pixels, as uint8 [image_px, image_px, 3]."""
    left, top = min(round(box[0]), rgb.shape[1] - 1), min(round(box[1]), rgb.shape[0] - 1)
    right, bottom = max(left + 1, round(box[2])), max(top + 1, round(box[3]))
    reductions = ((right - left) / image_px, (bottom - top) / image_px)
    part, interpolation = softened(rgb[top:bottom, left:right], reductions, MAX_BLURRED_REDUCTION)
    return cv2.resize(part, (image_px, image_px), interpolation=interpolation)
