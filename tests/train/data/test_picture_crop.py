"""Crops: their share of the picture, the decoder's scale, the resize."""

import io

import numpy as np
import pytest
from PIL import Image

from train.data.picture_crop import crop_box, decode_scale, random_crop, resize_crop


def smooth_picture(width_px: int, height_px: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return np.asarray(small.resize((width_px, height_px), Image.Resampling.BICUBIC))


def test_crops_keep_the_asked_share_of_the_picture():
    rng = np.random.default_rng(0)
    shares, stretches = [], []
    for _ in range(500):
        left, top, right, bottom = crop_box(400, 100, 0.4, rng)
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 100
        shares.append((right - left) * (bottom - top) / 40_000)
        stretches.append((right - left) / (bottom - top) / 4.0)
    assert 0.4 <= min(shares) < 0.43
    assert 0.97 < max(shares) <= 1.0 + 1e-9
    assert 0.74 < min(stretches) < 0.8
    assert 1.25 < max(stretches) < 1.34


def test_full_crops_are_the_whole_picture():
    assert crop_box(123, 45, 1.0, np.random.default_rng(0)) == pytest.approx((0, 0, 123, 45))


@pytest.mark.parametrize(("side", "scale"), [(64, 1), (127, 1), (128, 2), (255, 2), (256, 4), (512, 8), (5000, 8)])
def test_the_decoder_reduces_while_the_crop_keeps_its_side(side, scale):
    assert decode_scale((10.0, 5.0, 310.0 + side, 5.0 + side), 64) == scale


@pytest.mark.parametrize("image_px", [32, 64, 100, 160])
def test_a_crop_is_pillows_resize_of_that_box(image_px):
    """Of a smooth picture: there every filter gives about the same, if it looks at the right place."""
    picture, box = smooth_picture(200, 120), (20, 10, 150, 100)
    expected = np.asarray(Image.fromarray(picture).resize((image_px,) * 2, Image.Resampling.BICUBIC, box=box))
    got = resize_crop(picture, tuple(map(float, box)), image_px)
    assert got.shape == (image_px, image_px, 3) and got.dtype == np.uint8
    assert np.abs(got.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize("width_px", [41, 320, 1280])
def test_a_strong_reduction_skips_no_pixels(width_px):
    """Single white columns, 1 of 5: all that a plain cubic interpolation sees is white or black."""
    picture = np.zeros((width_px, width_px, 3), np.uint8)
    picture[:, ::5] = 255
    square = resize_crop(picture, (0.0, 0.0, width_px, width_px), 32)
    assert abs(square.mean() - 51) < 10
    assert width_px < 64 or square.max() < 110


@pytest.mark.parametrize(("image_px", "least_db"), [(224, 45), (160, 43), (128, 38), (64, 40)])
def test_crops_are_close_to_pillows_filter(image_px, least_db):
    """Of pixels that change from one to the next as a photograph's do; 40 dB are 2.5 grey levels."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 6, (256, 341, 3)) + smooth_picture(341, 256)
    picture = noise.clip(0, 255).astype(np.uint8)
    box = (30, 20, 320, 240)
    expected = np.asarray(Image.fromarray(picture).resize((image_px,) * 2, Image.Resampling.BICUBIC, box=box))
    error = resize_crop(picture, tuple(map(float, box)), image_px).astype(float) - expected
    assert 10 * np.log10(255**2 / np.mean(error**2)) > least_db


@pytest.mark.parametrize("image_px", [200, 90, 40, 20])
def test_the_same_seed_sees_the_same_crop_at_every_scale_of_decoding(image_px):
    """200 px: decoded whole; 20 px: an eighth. What is seen is the box drawn from the seed."""
    picture, stream = smooth_picture(320, 240), io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=95)
    seen = random_crop(stream.getvalue(), image_px, 0.7, np.random.default_rng(5))
    box = crop_box(320, 240, 0.7, np.random.default_rng(5))
    expected = Image.fromarray(picture).resize((image_px,) * 2, Image.Resampling.BICUBIC, box=box)
    assert np.abs(seen.astype(int) - np.asarray(expected)).mean() < 4


def test_a_box_of_less_than_a_pixel_is_a_pixel():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert (resize_crop(picture, (1.9, 0.1, 2.0, 0.4), 4) == picture[0, 1]).all()
