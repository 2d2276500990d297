import numpy as np

from data_prep.miniature import shop_items


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(shop_items, ["home", "shop"])


def test_the_category_is_known_before_the_item_is_designed():
    for seed in range(24):
        item = shop_items.design(np.random.default_rng(seed), np.random.default_rng(1))
        assert item.category == shop_items.category_of(np.random.default_rng(seed))
    seen = {shop_items.category_of(np.random.default_rng(seed)) for seed in range(100)}
    assert seen == set(shop_items.CATEGORIES)


def test_siblings_are_of_one_category_and_differ_in_build():
    first, second = (
        shop_items.design(np.random.default_rng(3), np.random.default_rng(own)) for own in (1, 2)
    )
    assert first.category == second.category
    assert first.solid.points.shape != second.solid.points.shape or not np.allclose(
        first.solid.points, second.solid.points
    )
