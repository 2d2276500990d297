"""Pixel equality with PIL, whatever the shape."""

import numpy as np
import pytest
import torch

from export import pil_resize
from export.pil_resize import (
    half_to_even,
    pad_square,
    pillow_shrinks_tall_first,
    resize_like_pil,
    shortest_crop,
    squash,
)
from export.sample_images import sample_images
from train.data.preprocessing import Frame, PreprocessSpec, frame_image, resize_image

# Width by height: both ways of every branch, one-pixel sides, an axis or both at their size, exact halves.
SIZES = (
    (96, 72),
    (40, 99),
    (99, 40),
    (48, 100),
    (100, 48),
    (96, 96),
    (24, 24),
    (20, 140),
    (140, 20),
    (1, 50),
    (50, 1),
    (1, 501),
    (501, 1),
    (3, 101),
    (101, 3),
    (1, 1),
    (48, 48),
    (49, 47),
)
SQUASH, CROP, PAD = torch.jit.script(squash), torch.jit.script(shortest_crop), torch.jit.script(pad_square)
FILL = (124, 116, 104)


def as_tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("resize", ["squash", "shortest_crop"])
def test_equals_pil_within_one_level_in_few_pixels(size, resize):
    (image,) = sample_images(seed=5, sizes_px=(size,))
    expected = np.array(resize_image(image, PreprocessSpec(48, (0, 0, 0), (1, 1, 1), resize))).astype(int)
    scripted = {"squash": SQUASH, "shortest_crop": CROP}[resize]
    got = scripted(as_tensor(image), 48, pillow_shrinks_tall_first())[0].permute(1, 2, 0).numpy()
    assert got.shape == expected.shape
    difference = np.abs(got - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.005  # exact halves, which binary fractions round either way


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_padding_equals_pil_too(size):
    (image,) = sample_images(seed=5, sizes_px=(size,))
    expected = np.array(frame_image(image, Frame(48, "pad", 1.0), FILL)).astype(int)
    fill = torch.tensor(FILL, dtype=torch.float32).view(1, 3, 1, 1)
    got = PAD(as_tensor(image), 48, pillow_shrinks_tall_first(), fill)[0].permute(1, 2, 0).numpy()
    difference = np.abs(got - expected)
    assert got.shape == expected.shape and difference.max() <= 1 and (difference > 0).mean() < 0.005


def test_the_order_of_axes_matters_so_the_test_above_could_fail():
    (image,) = sample_images(seed=5, sizes_px=((40, 99),))
    wide_first, tall_first = (squash(as_tensor(image), 48, order) for order in (False, True))
    assert ((wide_first - tall_first).abs() > 0).float().mean() > 0.1


def test_whole_grey_levels_in_range_and_untouched_at_size():
    noise = torch.randint(0, 256, (1, 3, 24, 31)).float()
    resized = resize_like_pil(noise, 20, 40, True)
    assert torch.equal(resized, resized.round()) and resized.min() >= 0 and resized.max() <= 255
    assert resize_like_pil(noise, 24, 31, True) is noise


@pytest.mark.parametrize("size", [(300, 200), (200, 450)], ids=str)
def test_bands_change_nothing(size, monkeypatch):
    (image,) = sample_images(seed=5, sizes_px=(size,))
    pixels = as_tensor(image).to(torch.uint8)
    whole = resize_like_pil(pixels, 48, 40, True)
    heights = []
    resized = pil_resize._resized

    def noting(band, height_px, width_px):
        heights.append(band.shape)
        return resized(band, height_px, width_px)

    monkeypatch.setattr(pil_resize, "_resized", noting)
    assert torch.equal(resize_like_pil(pixels, 48, 40, True, band_values=3 * 7000), whole)
    assert len(heights) > 8 and all(shape.numel() <= 3 * 7000 for shape in heights)


def test_images_of_one_column_stay_small_on_the_way(monkeypatch):
    shapes = []
    resized = pil_resize._resized
    monkeypatch.setattr(pil_resize, "_resized", lambda *band: shapes.append(band[0].shape) or resized(*band))
    for tall_first in (False, True):
        out = resize_like_pil(torch.full((1, 3, 5000, 1), 77.0), 48, 48, tall_first)
        assert torch.equal(out, torch.full((1, 3, 48, 48), 77.0))
    assert max(shape.numel() for shape in shapes) == 3 * 5000 * 2


def test_half_to_even_is_pythons_round():
    assert [half_to_even(surplus) for surplus in range(200)] == [round(surplus / 2) for surplus in range(200)]
