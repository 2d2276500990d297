import numpy as np
import pytest

from data_prep.miniature import textures

COLOURS = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]


@pytest.mark.parametrize("kind", textures.PATTERNS)
def test_a_pattern_has_its_size_its_ground_and_depends_on_its_generator(kind):
    first, again, other = (
        textures.pattern(kind, (60, 90), COLOURS, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (60, 90, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again)
    if kind == "plain":
        assert np.all(first == COLOURS[0])
    else:
        assert not np.array_equal(first, other)
        assert len(np.unique(first.reshape(-1, 3), axis=0)) >= 2


def test_patterns_differ_from_each_other():
    drawn = [
        textures.pattern(kind, (60, 60), COLOURS, np.random.default_rng(3)) for kind in textures.PATTERNS
    ]
    assert len({canvas.tobytes() for canvas in drawn}) == len(textures.PATTERNS)


def test_outlines_stay_within_their_radius():
    for seed in range(50):
        outline = textures.glyph_outline(np.random.default_rng(seed))
        assert outline.shape == (48, 2) and np.linalg.norm(outline, axis=1).max() <= 1 + 1e-9


def test_words_are_made_of_syllables():
    assert textures.word(np.random.default_rng(0), 3) == textures.word(np.random.default_rng(0), 3)
    assert len({textures.word(np.random.default_rng(seed), 2) for seed in range(40)}) > 25


def test_small_print_stays_in_its_box():
    canvas = np.full((50, 50, 3), 255, dtype=np.uint8)
    textures.small_print(canvas, (10, 20, 30, 20), 4, (0, 0, 0), np.random.default_rng(0))
    rows, columns = np.nonzero(canvas[:, :, 0] == 0)
    assert rows.min() >= 20 and rows.max() < 40 and columns.min() >= 10 and columns.max() < 40


def test_grain_keeps_the_brightness_on_average():
    canvas = np.full((64, 64, 3), 120, dtype=np.uint8)
    grained = textures.grain(canvas, np.random.default_rng(0), 0.3, (6, 6))
    assert grained.min() >= 0.7 * 120 - 1 and grained.max() <= 1.3 * 120 + 1 and grained.std() > 3


def test_a_palette_has_the_number_of_colours_asked_for():
    colours = textures.palette(np.random.default_rng(0), 4)
    assert len(colours) == 4 and all(0 <= value <= 255 for colour in colours for value in colour)
