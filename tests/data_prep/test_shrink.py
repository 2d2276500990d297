import io

import numpy as np
import pytest
from PIL import Image

from data_prep.jpeg_codec import decode_jpeg
from data_prep.shrink import grey_thumbnail, shrink, shrunk_size


def textured(width, height, seed=0):
    """Noise whose amplitude falls with frequency, as in photographs."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    rng = np.random.default_rng(seed)
    noise = [
        np.fft.irfft2(np.exp(2j * np.pi * rng.random(frequency.shape)) / frequency**1.2, s=(height, width))
        for _ in range(3)
    ]
    pixels = np.stack([128 + 45 * channel / channel.std() for channel in noise], axis=2)
    return pixels.clip(0, 255).astype(np.uint8)


def psnr_db(got, wanted):
    return 10 * np.log10(255**2 / np.mean((got.astype(float) - wanted.astype(float)) ** 2))


def by_pillow(rgb, size):
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("height", [257, 282, 375, 511, 576, 588, 592, 900, 2000])
def test_the_result_is_close_to_pillows_antialiased_bicubic(height):
    rgb = textured(height + 101, height)
    size = shrunk_size((height + 101, height), 256)
    assert psnr_db(shrink(rgb, (height + 101, height), 1, 256), by_pillow(rgb, size)) > 40


@pytest.mark.parametrize(("scale", "height"), [(2, 577), (2, 600), (2, 901), (4, 1201), (8, 2401)])
def test_pictures_decoded_at_a_scale_stay_in_place(scale, height):
    """Sides that the scale does not divide: taking the decoded size for the whole picture would cost many dB."""
    rgb = textured(height + 333, height)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=95, subsampling=0)
    whole = np.asarray(Image.open(buffer))
    decoded = decode_jpeg(buffer.getvalue(), (height + 333, height), scale)
    size = shrunk_size((height + 333, height), 256)
    assert psnr_db(shrink(decoded, (height + 333, height), scale, 256), by_pillow(whole, size)) > 35


def test_every_size_is_met_exactly():
    rng = np.random.default_rng(0)
    for _ in range(300):
        width, height, image_px = (int(side) for side in rng.integers(1, 120, size=3))
        scale = int(rng.choice([1, 2, 4, 8]))
        image_px = max(1, min(image_px, min(width, height) // scale))
        decoded = np.zeros((-(-height // scale), -(-width // scale), 3), np.uint8)
        size = shrunk_size((width, height), image_px) if min(width, height) > image_px else decoded.shape[1::-1]
        assert shrink(decoded, (width, height), scale, image_px).shape[1::-1] == size


def test_a_long_strip_is_shrunk():
    assert shrink(np.zeros((40, 65_500, 3), np.uint8), (65_500, 40), 1, 32).shape == (32, 52_400, 3)


def test_small_pictures_stay_as_they_are():
    rgb = textured(40, 30)
    assert shrink(rgb, (40, 30), 1, 30) is rgb


def test_one_colour_stays_one_colour():
    rgb = np.full((375, 500, 3), (10, 200, 77), np.uint8)
    assert (shrink(rgb, (500, 375), 1, 256) == (10, 200, 77)).all()


def test_the_thumbnail_is_the_mean_luma_of_each_area():
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:50, :100] = (255, 0, 0)
    rgb[50:, 100:] = 255
    thumbnail = grey_thumbnail(rgb, 10)
    assert thumbnail.shape == (10, 10, 3)
    assert [int(thumbnail[row, column, 0]) for row, column in ((2, 2), (2, 7), (7, 2), (7, 7))] == [76, 0, 0, 255]
    assert grey_thumbnail(rgb[:10], 10).shape == (10, 200, 3)  # a side is no longer than that
