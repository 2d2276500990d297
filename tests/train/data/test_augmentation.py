"""Augmentation: the plain resize, determinism from the seed, independence of the changes, crops."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import ConfigError
from train.data.augmentation import _crop_box, build_augmentation
from train.data.preprocessing import PreprocessSpec, resize_image

PICTURE = (
    np.random.default_rng(0)
    .integers(0, 256, (9, 12, 3), dtype=np.uint8)
    .repeat(10, axis=0)
    .repeat(10, axis=1)
)


@pytest.mark.parametrize("preset", ["none", "crop", "light", "standard", "strong"])
@pytest.mark.parametrize("shape", [(90, 120, 3), (17, 300, 3), (1, 1, 3)])
def test_any_picture_becomes_a_square_of_bytes(preset: str, shape: tuple[int, int, int]) -> None:
    picture = np.full(shape, 200, dtype=np.uint8)
    augment = build_augmentation(preset, 48, 0.3, horizontal_flip=True)
    for seed in range(12):
        result = augment(picture, seed)
        assert result.shape == (48, 48, 3)
        assert result.dtype == np.uint8
    assert (picture == 200).all()  # the input is left as it was


def test_none_is_the_resize_of_inference() -> None:
    spec = PreprocessSpec(image_px=48, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash")
    expected = np.asarray(resize_image(Image.fromarray(PICTURE), spec))
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
        result = augment(picture, seed).astype(int)
        left, right = result[12, 2, 0], result[12, 21, 0]
        is_flipped, is_lit = left > right, {left, right} != {100, 150}
        seen[["plain", "light", "flip", "both"][2 * is_flipped + is_lit]] += 1
    assert min(seen.values()) > 25, seen


def test_flips_can_be_turned_off() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], (24, 24, 3)).copy()
    without, with_flips = (
        build_augmentation("light", 24, 1.0, horizontal_flip=flip) for flip in (False, True)
    )
    rises = {flip: [int(f(ramp, s)[0, -1, 0]) > int(f(ramp, s)[0, 0, 0]) for s in range(40)]
             for flip, f in ((False, without), (True, with_flips))}  # fmt: skip
    assert all(rises[False])
    assert 8 < sum(rises[True]) < 32


def test_crops_keep_the_asked_share_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    shares, stretches = [], []
    for _ in range(500):
        left, top, right, bottom = _crop_box(400, 100, 0.4, rng)
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 100
        shares.append((right - left) * (bottom - top) / 40_000)
        stretches.append((right - left) / (bottom - top) / 4.0)
    assert 0.4 <= min(shares) < 0.43
    assert 0.97 < max(shares) <= 1.0 + 1e-9
    assert 0.74 < min(stretches) < 0.8
    assert 1.25 < max(stretches) < 1.34


def test_full_crops_are_the_whole_picture() -> None:
    assert _crop_box(123, 45, 1.0, np.random.default_rng(0)) == pytest.approx((0, 0, 123, 45))


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
    picture = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    crop, light = (build_augmentation(preset, 16, 0.5, True) for preset in ("crop", "light"))
    assert all((crop(picture, seed) == picture[0, 0]).all() for seed in range(10))
    assert any((light(picture, seed) != picture[0, 0]).any() for seed in range(10))
