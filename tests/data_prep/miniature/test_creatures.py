import numpy as np

from data_prep.miniature import creatures


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(creatures, creatures.STYLES)


def test_the_kind_is_known_before_the_design_and_all_kinds_are_drawn():
    kinds = set()
    for seed in range(40):
        species = creatures.design(np.random.default_rng(seed), np.random.default_rng(1))
        assert species.kind == creatures.kind_of(np.random.default_rng(seed))
        kinds.add(species.kind)
    assert kinds == creatures.KINDS.keys() == creatures.DRAWERS.keys()


def test_each_kind_covers_a_part_of_its_sheet_and_leaves_a_corner_clear():
    for seed in range(12):
        species = creatures.design(np.random.default_rng(seed), np.random.default_rng(seed))
        sheet = np.zeros((creatures.SIDE_PX, creatures.SIDE_PX, 4), dtype=np.uint8)
        creatures.DRAWERS[species.kind](sheet, species, np.random.default_rng(0))
        assert 0.1 < (sheet[:, :, 3] > 0).mean() < 0.7 and not sheet[0, 0, 3], species.kind
