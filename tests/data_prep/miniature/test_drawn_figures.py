import numpy as np

from data_prep.miniature import drawn_figures


def character(own):
    return drawn_figures.design(np.random.default_rng(0), np.random.default_rng(own))


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(drawn_figures, drawn_figures.STYLES)


def test_a_character_keeps_hair_and_eyes_in_every_drawing():
    who, radius = character(1), 52
    for view in range(5):
        sheet = np.zeros((drawn_figures.SIDE_PX, drawn_figures.SIDE_PX, 4), dtype=np.uint8)
        drawn_figures.draw(sheet, who, np.random.default_rng(view))
        beside_the_face = sheet[88, 100 - round(1.1 * radius), :3]
        assert np.abs(beside_the_face.astype(int) - np.array(who.hair)).max() <= 1
        there = np.abs(sheet[:, :, :3].astype(int) - np.array(who.eyes)).max(axis=2) <= 1
        assert there.sum() > 30, "no eyes"


def test_a_sketch_has_no_colour_of_its_own_and_is_mostly_paper():
    for view in range(5):
        inked = drawn_figures._inked(np.random.default_rng(view).integers(0, 255, (40, 40, 3)).astype(np.uint8))
        assert (inked[:, :, 0] == inked[:, :, 1]).all() and (inked[:, :, 1] == inked[:, :, 2]).all()
    sketch = drawn_figures.photo(character(2), np.random.default_rng(0), "sketch")
    assert (sketch.mean(axis=2) > 0.8 * sketch.max()).mean() > 0.7
