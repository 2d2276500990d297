"""Crops: their share of the picture, the decoder's scale, and the one pass that cuts, flips and turns."""

import math

import numpy as np
import pytest
from PIL import Image

from train.data.picture_crop import crop_box, cut_out_square, decode_scale, warp_matrix

STILL = (0.0, 0.0, 1.0, 0.0)


def with_padding(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.zeros(rgb.shape[:2], np.uint8)])


def smooth_picture(width_px: int, height_px: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return np.asarray(small.resize((width_px, height_px), Image.Resampling.BICUBIC))


def test_crops_keep_the_asked_share_of_the_picture():
    rng = np.random.default_rng(0)
    shares, stretches = [], []
    for _ in range(500):
        left, top, width, height = crop_box((400, 100), 0.4, iter(rng.random(4)))
        assert 0 <= left <= left + width <= 400 + 1e-9
        assert 0 <= top <= top + height <= 100 + 1e-9
        shares.append(width * height / 40_000)
        stretches.append(width / height / 4.0)
    assert 0.4 - 1e-9 <= min(shares) < 0.43
    assert 0.97 < max(shares) <= 1.0 + 1e-9
    assert 0.74 < min(stretches) < 0.8
    assert 1.25 < max(stretches) < 1.34


def test_full_crops_are_the_whole_picture():
    assert crop_box((123, 45), 1.0, iter([0.3, 0.1, 0.7, 0.9])) == pytest.approx((0, 0, 123, 45))


@pytest.mark.parametrize(("side", "scale"), [(64, 1), (100, 1), (110, 2), (128, 2), (220, 4), (500, 8), (5000, 8)])
def test_the_decoder_reduces_while_the_crop_keeps_its_side(side, scale):
    assert decode_scale((0.0, 0.0, 300.0 + side, float(side)), 64) == scale


@pytest.mark.parametrize("warp", [None, STILL])
@pytest.mark.parametrize("flip", [False, True])
def test_a_crop_is_pillows_resize_of_that_box(warp, flip):
    """Of a smooth picture: there every filter gives about the same."""
    picture, box = smooth_picture(200, 120), (20.0, 10.0, 130.0, 90.0)
    expected = np.asarray(Image.fromarray(picture).resize(
        (64, 64), Image.Resampling.BILINEAR, box=(20, 10, 150, 100))).astype(int)
    got = cut_out_square(with_padding(picture), box, flip, 64, warp).astype(int)
    assert got.shape == (64, 64, 3)
    assert np.abs(got - (expected[:, ::-1] if flip else expected)).mean() < 1.5


def test_a_quarter_turn_turns_the_square():
    picture = smooth_picture(64, 64)
    turned = cut_out_square(with_padding(picture), (0.0, 0.0, 64.0, 64.0), False, 64, (0.0, 0.0, 1.0, math.pi / 2))
    assert np.abs(turned.astype(int) - np.rot90(picture, -1)).max() <= 1


def test_what_a_warp_does_to_single_points():
    """By hand: the crop is 100 x 50 at (10, 20), the square 10 px; column c of it has its centre at (c + 0.5) / 10."""
    def place(warp, flip, column, row):
        return warp_matrix((10.0, 20.0, 100.0, 50.0), flip, 10, warp) @ (column, row, 1.0) + 0.5

    assert place(STILL, False, 0, 0) == pytest.approx((10 + 5, 20 + 2.5))
    assert place(STILL, True, 0, 0) == pytest.approx((10 + 95, 20 + 2.5))
    # Moved a tenth to the right, the second column shows what the first did.
    assert place((0.1, 0.0, 1.0, 0.0), False, 1, 0) == pytest.approx((10 + 5, 20 + 2.5))
    # Twice as large: the edge of the square shows what was half as far from the centre.
    assert place((0.0, 0.0, 2.0, 0.0), False, -0.5, 4.5) == pytest.approx((10 + 25, 20 + 25))


def test_beyond_the_edge_the_picture_is_mirrored():
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[:, :8] = 200
    shifted = cut_out_square(picture, (0.0, 0.0, 40.0, 40.0), False, 40, (0.25, 0.0, 1.0, 0.0))
    assert (shifted[:, 3:17] == 200).all() and (shifted[:, 20:] == 0).all()


@pytest.mark.parametrize("warp", [None, STILL])
def test_a_strong_reduction_skips_no_pixels(warp):
    """Single white columns, 1 of 5: all that a plain linear interpolation sees is white or black."""
    picture = np.zeros((40, 320, 4), np.uint8)
    picture[:, ::5] = 255
    square = cut_out_square(picture, (0.0, 0.0, 320.0, 40.0), False, 32, warp)
    assert abs(square.mean() - 51) < 10 and square.max() < 110
