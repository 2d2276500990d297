"""Random changes to training images, from the stored JPEG to the pixels of a batch; the only file that imports
albumentations.

The presets gather what the challenge's entrants report: flips, JPEG artefacts, shift / scale / rotation,
brightness and colour, one cut-out (1st, 2nd, 3rd and 6th place).
"""

import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_prep.errors import ConfigError, unknown_name
from train.data.picture_crop import random_crop
from train.data.readers import rgb_by_pillow

PRESETS = ("none", "crop", "light", "standard", "strong")

Pixels = NDArray[np.uint8]


def build_augmentation(
    preset: Literal["none", "crop", "light", "standard", "strong"],
    image_px: int,
    min_crop_scale: float,
    horizontal_flip: bool,
) -> Callable[[bytes, int], Pixels]:
    """A function (JPEG bytes, seed) -> uint8 [image_px, image_px, 3], the same for the same seed.

    It raises OSError for bytes that are no picture. Shards hold upright pictures: no orientation flag is applied.
    `none` is the resize of the whole image, squashed to the square, pixel for pixel as `preprocessing.resize_image`
    does it: no crop, no flip. `crop` is crop and flip alone (UnED).

    Args:
        preset: `none`, `crop`, `light`, `standard` or `strong`.
        image_px: side of the result.
        min_crop_scale: smallest share of the image's area that a crop may keep, above 0; 1 keeps the whole
            image.
        horizontal_flip: whether half of the images are mirrored.

    Returns:
        The function. It holds state while it runs: one a process, not one for several threads.

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
    if preset == "none":
        return partial(_squash, image_px=image_px)
    return partial(
        _augment,
        compose=_build_compose(preset, horizontal_flip),
        image_px=image_px,
        min_crop_scale=min_crop_scale,
    )


def describe_augmentation(preset: str, horizontal_flip: bool) -> dict:
    """The changes with their numbers and the version of albumentations, as plain values: what a cache is keyed by."""
    compose = _build_compose(preset, horizontal_flip)
    import albumentations

    return albumentations.to_dict(compose)


def _squash(jpeg: bytes, seed: int, image_px: int) -> Pixels:
    """The whole image at the wanted size; the seed changes nothing."""
    return np.array(rgb_by_pillow(jpeg).resize((image_px, image_px), Image.Resampling.BICUBIC))


def _augment(jpeg: bytes, seed: int, compose: Any, image_px: int, min_crop_scale: float) -> Pixels:
    """Random crop at the wanted size, then the preset's changes."""
    rng = np.random.default_rng(seed)
    crop = random_crop(jpeg, image_px, min_crop_scale, rng)
    # Not set_random_seed: it gives each transform its own generator from the same seed, and then all of them
    # draw the same numbers (every one with p = 0.5 fires at once or not at all). One shared pair of
    # generators keeps them apart.
    compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
    return compose(image=crop)["image"]


def _build_compose(preset: str, horizontal_flip: bool) -> Any:
    """The changes after the crop, as one albumentations pipeline."""
    os.environ.setdefault(
        "NO_ALBUMENTATIONS_UPDATE", "1"
    )  # else importing it asks the network for a newer version
    import albumentations
    import cv2

    cv2.setNumThreads(
        0
    )  # loader processes are the parallelism; OpenCV's own threads can also hang after a fork
    makers = {"crop": lambda a, border_mode: [], "light": _light, "standard": _standard, "strong": _strong}
    flip = [albumentations.HorizontalFlip(p=0.5)] if horizontal_flip else []
    return albumentations.Compose([*flip, *makers[preset](albumentations, cv2.BORDER_REFLECT_101)])


def _light(a: Any, border_mode: int) -> list[Any]:
    """Light and colour a little off: what 2nd place did to colours."""
    return [a.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5)]


def _standard(a: Any, border_mode: int) -> list[Any]:
    """1st and 2nd place's list, with softer pictures and JPEG artefacts now and then."""
    return [
        _shift_and_turn(a, border_mode, shift=0.06, scale=0.1, degrees=12, p=0.5),
        a.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
        a.HueSaturationValue(hue_shift_limit=5, sat_shift_limit=25, val_shift_limit=0, p=0.3),
        a.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 1.2), p=0.1),
        a.ImageCompression(quality_range=(50, 95), p=0.2),
        _cut_out(a, holes=(1, 1), side=(0.1, 0.4), p=0.4),
    ]


def _strong(a: Any, border_mode: int) -> list[Any]:
    """For long training of a whole tower on few images: more of each change, more often, and grey."""
    return [
        _shift_and_turn(a, border_mode, shift=0.1, scale=0.2, degrees=25, p=0.7),
        a.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=0.7),
        a.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=45, val_shift_limit=0, p=0.5),
        a.ToGray(p=0.05),
        a.OneOf(
            [
                a.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 2.0), p=1.0),
                a.MotionBlur(blur_limit=(3, 7), p=1.0),
            ],
            p=0.2,
        ),
        a.ImageCompression(quality_range=(30, 95), p=0.3),
        _cut_out(a, holes=(1, 3), side=(0.1, 0.4), p=0.6),
    ]


def _shift_and_turn(a: Any, border_mode: int, shift: float, scale: float, degrees: float, p: float) -> Any:
    """Shift (share of the side), scale (share of the size) and rotation, the border mirrored."""
    return a.Affine(
        scale=(1 - scale, 1 + scale),
        translate_percent=(-shift, shift),
        rotate=(-degrees, degrees),
        keep_ratio=True,
        border_mode=border_mode,
        p=p,
    )


def _cut_out(a: Any, holes: tuple[int, int], side: tuple[float, float], p: float) -> Any:
    """Holes of mid-grey, which is near zero after normalisation; `side` is a share of the image's."""
    return a.CoarseDropout(
        num_holes_range=holes, hole_height_range=side, hole_width_range=side, fill=127, p=p
    )
