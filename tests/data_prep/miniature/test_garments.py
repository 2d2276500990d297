import numpy as np

from data_prep.miniature import garments


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(garments, ["0:front", "0:side", "0:back", "0:full", "0:additional"])


def test_kind_and_colours_are_known_before_the_item_is_designed():
    n_colours = set()
    for seed in range(40):
        kind, n = garments.kind_and_colours(np.random.default_rng(seed), np.random.default_rng(seed + 1))
        item = garments.design(np.random.default_rng(seed), np.random.default_rng(seed + 1))
        assert (item.cut.kind, len(item.cloths)) == (kind, n)
        n_colours.add(n)
    assert n_colours == {1, 2, 3}


def test_colour_variants_share_the_cut_and_the_pattern_but_not_the_colours():
    item = next(
        item
        for item in (garments.design(np.random.default_rng(k), np.random.default_rng(k)) for k in range(40))
        if len(item.cloths) > 1
    )
    (first, _), (second, _) = item.cloths[:2]
    assert not np.allclose(first.mean(axis=(0, 1)), second.mean(axis=(0, 1)), atol=3)
