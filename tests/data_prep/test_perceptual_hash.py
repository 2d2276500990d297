import io
from fractions import Fraction

import imagehash
import numpy as np
import pytest
from PIL import Image

from data_prep.perceptual_hash import _area_sums, perceptual_hash


def photo_like(seed, height=90, width=130):
    """Smooth coloured shapes: random frequencies that fade as in photographs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    channels = []
    for _ in range(3):
        waves = [
            np.cos(2 * np.pi * (a * x + b * y) + rng.uniform(0, 7)) * rng.normal() / (1 + a + b)
            for a in range(6) for b in range(6) if a + b
        ]
        channels.append(sum(waves))
    pixels = np.stack(channels, axis=2)
    return np.uint8(255 * (pixels - pixels.min()) / np.ptp(pixels))


def distance(a, b):
    return (a ^ b).bit_count()


def test_equals_imagehash_where_no_resizing_is_needed():
    for seed in range(30):
        grey = np.random.default_rng(seed).integers(0, 256, (32, 32), dtype=np.uint8)
        peer = int(str(imagehash.phash(Image.fromarray(grey))), 16)
        assert perceptual_hash(np.repeat(grey[:, :, None], 3, axis=2)) == peer


def test_stays_close_to_imagehash_on_pictures_of_other_sizes():
    far = [
        distance(perceptual_hash(photo), int(str(imagehash.phash(Image.fromarray(photo))), 16))
        for photo in map(photo_like, range(20))
    ]
    assert max(far) <= 4  # imagehash reduces by Lanczos, here by area


@pytest.mark.parametrize("length", [1, 5, 31, 32, 33, 64, 77])
def test_stretches_share_the_pixels_at_their_ends(length):
    values = np.random.default_rng(length).integers(0, 256, (length, 2), dtype=np.uint8)
    expected = np.zeros((32, 2), dtype=object)
    for cell in range(32):
        start, end = Fraction(cell * length, 32), Fraction((cell + 1) * length, 32)
        for pixel in range(length):
            covered = max(Fraction(0), min(end, Fraction(pixel + 1)) - max(start, Fraction(pixel)))
            expected[cell] += [int(value) * covered for value in values[pixel]]
    assert (_area_sums(values) == expected * 32).all()


def test_equal_pixels_in_any_memory_layout_have_one_hash():
    y, x = np.mgrid[0:40, 0:56]
    pixels = np.uint8(np.stack([x * y, x * 3 + y * 5, x * x + y], axis=2) % 256)
    assert perceptual_hash(pixels) == 0x803F6F5835697364  # saved hashes stay comparable as long as this holds
    assert perceptual_hash(np.asfortranarray(pixels)) == 0x803F6F5835697364


def test_the_same_picture_resized_and_encoded_again_is_near_and_others_are_far():
    hashes = []
    for seed in range(12):
        photo = Image.fromarray(photo_like(seed, 300, 400))
        buffer = io.BytesIO()
        photo.resize((133, 100), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=60)
        small = np.asarray(Image.open(buffer).convert("RGB"))
        hashes.append(perceptual_hash(np.asarray(photo)))
        assert distance(hashes[-1], perceptual_hash(small)) <= 4
    assert min(distance(a, b) for n, a in enumerate(hashes) for b in hashes[:n]) > 10


def test_flat_pictures_have_no_hash():
    white = np.full((50, 40, 3), 255, dtype=np.uint8)
    assert perceptual_hash(white) is None
    assert perceptual_hash(white[:1, :1]) is None
    dusty = white.copy()
    dusty[10, 10] = 253  # one pixel: a speck, not a picture
    assert perceptual_hash(dusty) is None
    half = white.copy()
    half[:, 20:] -= 3  # three levels of 255
    assert perceptual_hash(half) is None
    half[:, 20:] -= 2
    assert perceptual_hash(half) is not None


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8"):
        perceptual_hash(wrong)
