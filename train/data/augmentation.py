"""Random changes to training images, from the stored JPEG to the pixels of a batch.

The presets gather what the challenge's entrants report: flips, JPEG artefacts, shift / scale / rotation,
brightness and colour, one cut-out (1st, 2nd, 3rd and 6th place).

Decoding a JPEG of 256 px takes 0.3 ms, so everything else has to be cheap: crop, flip, shift, scale and rotation are
one pass over the pixels, brightness and colour one 3 x 4 matrix. albumentations' chain of the same changes takes five
times as long (`benchmarks/input.py`).
"""

import io
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_prep.errors import ConfigError, unknown_name
from data_prep.jpeg_codec import decode_jpeg, decode_jpeg_quickly, jpeg_size
from train.data.picture_crop import Warp, crop_box, cut_out_square, decode_scale
from train.data.pixel_changes import Changes, between, change_pixels

# Every call draws so many numbers at once, more than any preset uses.
_N_DRAWS = 40

Pixels = NDArray[np.uint8]

PRESETS: dict[str, Changes | None] = {
    "none": None,
    "crop": Changes(),
    # Light and colour a little off: what 2nd place did to colours.
    "light": Changes(light=(0.5, 0.1)),
    # 1st and 2nd place's list, with softer pictures and JPEG artefacts now and then.
    "standard": Changes(
        warp=(0.5, 0.06, 0.1, 12.0), light=(0.5, 0.2), colour=(0.3, 10.0, 0.25), blur=(0.1, 0.3, 1.2),
        jpeg=(0.2, 50, 95), holes=(0.4, 1),
    ),
    # For long training of a whole tower on few images: more of each change, more often, and grey.
    "strong": Changes(
        warp=(0.7, 0.1, 0.2, 25.0), light=(0.7, 0.3), colour=(0.5, 20.0, 0.45), grey=0.05, blur=(0.2, 0.3, 2.0),
        motion=0.5, jpeg=(0.3, 30, 95), holes=(0.6, 3),
    ),
}


def build_augmentation(
    preset: Literal["none", "crop", "light", "standard", "strong"],
    image_px: int,
    min_crop_scale: float,
    horizontal_flip: bool,
) -> Callable[[bytes, int], Pixels]:
    """A function (JPEG bytes, seed) -> uint8 [image_px, image_px, 3], the same for the same seed.

    `none` is PIL's antialiased bicubic resize of the whole image, squashed to the square, pixel for pixel as
    `preprocessing.resize_image` does it: no crop, no flip. `crop` is crop and flip alone (UnED).

    Args:
        preset: `none`, `crop`, `light`, `standard` or `strong`.
        image_px: side of the result.
        min_crop_scale: smallest share of the image's area that a crop may keep, above 0; 1 keeps the whole
            image.
        horizontal_flip: whether half of the images are mirrored.

    Returns:
        The function. It raises OSError for bytes that are no picture.

    Raises:
        ConfigError: an unknown preset, or a number out of range.
    """
    if preset not in PRESETS:
        raise unknown_name("augmentation preset", preset, PRESETS, "augmentation")
    if image_px < 1 or not 0.0 < min_crop_scale <= 1.0:
        raise ConfigError(
            f"augmentation: expected image_px >= 1 and 0 < min_crop_scale <= 1, "
            f"got {image_px} and {min_crop_scale}"
        )
    changes = PRESETS[preset]
    if changes is None:
        return partial(_squash, image_px=image_px)
    crop = (min_crop_scale, 0.5 if horizontal_flip else 0.0)
    return partial(_augment, changes=changes, image_px=image_px, crop=crop)


def _squash(jpeg: bytes, seed: int, image_px: int) -> Pixels:
    """The whole image at the wanted size; the seed changes nothing."""
    size = jpeg_size(jpeg)
    pixels = None if size is None else decode_jpeg(jpeg, size, 1)
    image = _by_pillow(jpeg) if pixels is None else Image.fromarray(pixels)
    return np.array(image.convert("RGB").resize((image_px, image_px), Image.Resampling.BICUBIC))


def _augment(jpeg: bytes, seed: int, changes: Changes, image_px: int, crop: tuple[float, float]) -> Pixels:
    """Random crop at the wanted size, then the preset's changes. `crop`: (smallest area, chance of a flip)."""
    # All numbers at once: a draw from numpy's generator costs as much as the arithmetic around it.
    draws = iter(np.random.default_rng(seed).random(_N_DRAWS).tolist())
    size = jpeg_size(jpeg) or _by_pillow(jpeg).size
    box = crop_box(size, crop[0], draws)
    scale = decode_scale(box, image_px)
    rgbx = decode_jpeg_quickly(jpeg, size, scale)
    if rgbx is None:
        rgbx, scale = np.asarray(_by_pillow(jpeg).convert("RGBA")), 1
    box = tuple(side / scale for side in box)
    flip = next(draws) < crop[1]
    rgb = cut_out_square(rgbx, box, flip, image_px, _drawn_warp(changes, draws))
    return change_pixels(rgb, changes, draws)


def _by_pillow(jpeg: bytes) -> Image.Image:
    """For files that libjpeg-turbo complains about and Pillow reads; the shards may hold some."""
    return Image.open(io.BytesIO(jpeg))


def _drawn_warp(changes: Changes, draws: Iterator[float]) -> Warp | None:
    """(shift to the right, shift down, scale, turn in radians), or None for no warp."""
    chance, shift, scale, degrees = changes.warp
    numbers = [between(-1.0, 1.0, next(draws)) for _ in range(4)]
    if next(draws) >= chance:
        return None
    return numbers[0] * shift, numbers[1] * shift, 1.0 + numbers[2] * scale, math.radians(numbers[3] * degrees)
