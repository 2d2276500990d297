import numpy as np

from data_prep.miniature import packages


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(packages, ["home", "shop"])


def test_flavours_of_a_brand_share_their_shape_and_not_their_label():
    first, second = (packages.design(np.random.default_rng(5), np.random.default_rng(own)) for own in (1, 2))
    stranger = packages.design(np.random.default_rng(6), np.random.default_rng(1))
    assert first.kind == second.kind and np.array_equal(first.solid.points, second.solid.points)
    assert not np.array_equal(first.solid.points, stranger.solid.points)
    labels = [
        np.concatenate([t.ravel() for t in item.solid.textures if t is not None]) for item in (first, second)
    ]
    assert 0.02 < (labels[0] != labels[1]).mean() < 0.6
