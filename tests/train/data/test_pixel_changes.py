"""Changes that keep the shape: the colour matrix by hand and by Pillow, blur, artefacts, holes."""

import colorsys

import numpy as np
import pytest

from train.data.pixel_changes import Changes, change_pixels, colour_matrix

ALWAYS, NEVER = 0.0, 1.0  # draws below and above every chance
NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


def matrix_of(changes, lit=NEVER, brightness=0.5, contrast=0.5, coloured=NEVER, turn=0.5, saturation=0.5, grey=NEVER):
    return colour_matrix(changes, iter([lit, brightness, contrast, coloured, turn, saturation, grey]))


def test_nothing_drawn_changes_nothing():
    assert matrix_of(Changes(light=(0.5, 0.2), colour=(0.5, 10.0, 0.2), grey=0.5)) is None
    assert np.array_equal(change_pixels(NOISE.copy(), Changes(), iter([0.5] * 30)), NOISE)


def test_light_is_gain_and_offset():
    """Draws of 1 and 0: brightness + 0.2 of white, contrast 1 - 0.2."""
    matrix = matrix_of(Changes(light=(0.5, 0.2)), lit=ALWAYS, brightness=1.0, contrast=0.0)
    assert matrix[:, :3] == pytest.approx(0.8 * np.eye(3), abs=1e-6) and matrix[:, 3] == pytest.approx(51.0)


def test_without_turn_and_with_full_length_colours_stay():
    matrix = matrix_of(Changes(colour=(1.0, 10.0, 0.25)), coloured=ALWAYS)
    assert matrix[:, :3] == pytest.approx(np.eye(3), abs=1e-6)


def test_saturation_goes_from_grey_outwards():
    grey = (0.299, 0.587, 0.114)
    colour = np.array([200.0, 80.0, 60.0])
    brightness = colour @ grey
    halved = matrix_of(Changes(colour=(1.0, 0.0, 0.5)), coloured=ALWAYS, saturation=0.0)[:, :3] @ colour
    assert halved == pytest.approx(brightness + 0.5 * (colour - brightness), abs=0.1)
    none = matrix_of(Changes(grey=1.0), grey=ALWAYS)[:, :3] @ colour
    assert none == pytest.approx([brightness] * 3, abs=0.1)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_hue_turns_by_about_the_asked_angle(turn):
    """Against HSV's hue, which measures angles along a hexagon."""
    colour = np.array([0.7, 0.4, 0.4])
    turned = matrix_of(Changes(colour=(1.0, 20.0, 0.0)), coloured=ALWAYS, turn=turn)[:, :3] @ colour
    moved = (colorsys.rgb_to_hsv(*turned)[0] - colorsys.rgb_to_hsv(*colour)[0] + 0.5) % 1.0 - 0.5
    assert 10.0 < abs(moved) * 360.0 < 30.0
    assert turned @ (0.299, 0.587, 0.114) == pytest.approx(colour @ (0.299, 0.587, 0.114), abs=1e-3)


def test_colours_are_cut_off_at_black_and_white():
    bright = change_pixels(NOISE.copy(), Changes(light=(1.0, 0.9)), iter([0.0, 1.0, 1.0, *[1.0] * 20]))
    expected = np.clip(1.9 * NOISE.astype(float) + 0.9 * 255, 0, 255)
    assert np.abs(bright - expected).max() <= 1


def test_blurs_soften_and_keep_the_mean():
    def roughness(rgb):
        return np.abs(np.diff(rgb.astype(int), axis=1)).mean()

    for motion in (0.0, 1.0):
        changes = Changes(blur=(1.0, 1.0, 1.5), motion=motion)
        soft = change_pixels(NOISE.copy(), changes, iter([*[1.0] * 7, 0.0, *[0.5] * 20]))
        assert roughness(soft) < 0.9 * roughness(NOISE) and abs(soft.mean() - NOISE.mean()) < 2


def test_artefacts_grow_as_quality_falls():
    def error(quality):
        changes = Changes(jpeg=(1.0, quality, quality))
        changed = change_pixels(NOISE.copy(), changes, iter([*[1.0] * 8, 0.0, *[0.5] * 20]))
        return np.abs(changed.astype(int) - NOISE).mean()

    assert 1 < error(95) < error(60) < error(30)


def test_holes_are_grey_and_of_the_asked_size():
    white = np.full((40, 40, 3), 255, np.uint8)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        holed = change_pixels(white.copy(), Changes(holes=(1.0, 1)), iter([*[1.0] * 9, 0.0, *rng.random(20)]))
        rows, columns = np.nonzero((holed == 127).all(axis=2))
        assert set(np.unique(holed)) == {127, 255}
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 4 <= height <= 16 and 4 <= width <= 16 and len(rows) == height * width
