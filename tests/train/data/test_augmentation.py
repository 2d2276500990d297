"""Augmentation: the plain resize, determinism from the seed, independence of the changes, odd files."""

import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import ConfigError
from train.data.augmentation import build_augmentation, describe_augmentation
from train.data.preprocessing import PreprocessSpec, resize_image


def jpeg_of(pixels: np.ndarray, **options: object) -> bytes:
    """As a file that keeps every pixel to a grey level or two."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=100, subsampling="4:4:4", **options)
    return stream.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
PICTURE = jpeg_of(PIXELS)


@pytest.mark.parametrize("preset", ["none", "crop", "light", "standard", "strong"])
@pytest.mark.parametrize("shape", [(90, 120, 3), (17, 300, 3), (1, 1, 3)])
def test_any_picture_becomes_a_square_of_bytes(preset: str, shape: tuple[int, int, int]) -> None:
    picture = jpeg_of(np.full(shape, 200, dtype=np.uint8))
    augment = build_augmentation(preset, 48, 0.3, horizontal_flip=True)
    for seed in range(12):
        result = augment(picture, seed)
        assert result.shape == (48, 48, 3)
        assert result.dtype == np.uint8 and result.flags.c_contiguous


def test_none_is_the_resize_of_inference() -> None:
    spec = PreprocessSpec(image_px=48, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash")
    expected = np.asarray(resize_image(Image.open(io.BytesIO(PICTURE)), spec))
    augment = build_augmentation("none", 48, 0.3, horizontal_flip=True)
    assert np.array_equal(augment(PICTURE, 1), expected)
    assert np.array_equal(augment(PICTURE, 2), expected)


@pytest.mark.parametrize("preset", ["light", "standard", "strong"])
def test_the_seed_alone_decides(preset: str) -> None:
    augment, another = (build_augmentation(preset, 32, 0.5, horizontal_flip=True) for _ in range(2))
    forwards = [augment(PICTURE, seed) for seed in range(10)]
    backwards = [another(PICTURE, seed) for seed in reversed(range(10))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert len({picture.tobytes() for picture in forwards}) == 10


def test_determinism_survives_the_way_to_another_process() -> None:
    augment = build_augmentation("strong", 32, 0.5, horizontal_flip=True)
    copy = pickle.loads(pickle.dumps(augment))
    assert np.array_equal(augment(PICTURE, 2**32 - 1), copy(PICTURE, 2**32 - 1))


def test_changes_are_drawn_independently() -> None:
    """Flip and light change must not fire together: both have p = 0.5, so all four combinations come up."""
    augment = build_augmentation("light", 24, 1.0, horizontal_flip=True)
    picture = np.zeros((24, 24, 3), dtype=np.uint8)
    picture[:, :12] = 100
    picture[:, 12:] = 150
    seen = {"plain": 0, "flip": 0, "light": 0, "both": 0}
    for seed in range(200):
        result = augment(jpeg_of(picture), seed).astype(int)
        left, right = result[12, 2, 0], result[12, 21, 0]
        is_flipped = left > right
        is_lit = max(abs(min(left, right) - 100), abs(max(left, right) - 150)) > 2
        seen[["plain", "light", "flip", "both"][2 * is_flipped + is_lit]] += 1
    assert min(seen.values()) > 25, seen


def test_flips_can_be_turned_off() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], (24, 24, 3)).copy()
    ramp = jpeg_of(ramp)
    without, with_flips = (
        build_augmentation("light", 24, 1.0, horizontal_flip=flip) for flip in (False, True)
    )
    rises = {flip: [int(f(ramp, s)[0, -1, 0]) > int(f(ramp, s)[0, 0, 0]) for s in range(40)]
             for flip, f in ((False, without), (True, with_flips))}  # fmt: skip
    assert all(rises[False])
    assert 8 < sum(rises[True]) < 32


def test_importing_the_module_loads_no_heavy_library() -> None:
    code = (
        "import sys, train.data.augmentation; print('albumentations' in sys.modules, 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("heavy", 32, 0.5), "'heavy'; known: crop, light, none, standard, strong"),
        (("light", 0, 0.5), "got 0 and 0.5"),
        (("light", 32, 0.0), "min_crop_scale"),
        (("none", 32, 1.5), "min_crop_scale"),
    ],
)
def test_settings_out_of_range_are_errors(arguments: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_augmentation(*arguments, horizontal_flip=True)


def test_crop_changes_no_colour():
    """A picture of one colour stays it, whatever is cut out of it; the other presets shift it."""
    picture = jpeg_of(np.full((40, 40, 3), (200, 100, 50), np.uint8))
    crop, light = (build_augmentation(preset, 16, 0.5, True) for preset in ("crop", "light"))
    assert all(np.abs(crop(picture, seed).astype(int) - (200, 100, 50)).max() <= 2 for seed in range(10))
    assert any(np.abs(light(picture, seed).astype(int) - (200, 100, 50)).max() > 2 for seed in range(10))


@pytest.mark.parametrize("preset", ["none", "crop"])
def test_what_libjpeg_turbo_does_not_read_is_left_to_pillow(preset: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    augment = build_augmentation(preset, 60, 1.0, horizontal_flip=False)  # so large that neither is decoded coarser
    assert np.abs(augment(stream.getvalue(), 0).astype(int) - augment(PICTURE, 0)).max() <= 3
    with pytest.raises(OSError, match="cannot identify"):
        augment(b"no picture", 0)


def test_the_description_is_plain_and_holds_every_number() -> None:
    described = [json.dumps(describe_augmentation(preset, flip), sort_keys=True)
                 for preset in ("crop", "light", "standard", "strong") for flip in (False, True)]
    assert len(set(described)) == 8
    assert "RandomBrightnessContrast" in described[2] and "0.1" in described[2] and "HorizontalFlip" in described[3]
