import numpy as np

from data_prep.miniature import dishes


def generator(*numbers):
    return np.random.default_rng(list(numbers))


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(dishes, dishes.STYLES)


def test_a_family_shares_crockery_and_serving_but_no_ingredient():
    first, second = (dishes.design(generator(3), generator(own)) for own in (1, 2))
    assert (first.serving, first.crockery, first.is_round) == (second.serving, second.crockery, second.is_round)
    assert not {part.colour for part in first.ingredients} & {part.colour for part in second.ingredients}
    assert {dishes.design(generator(k), generator(1)).serving for k in range(40)} == set(dishes.SERVINGS)


def test_each_serving_is_laid_out_anew_inside_its_crockery():
    for family in range(8):
        dish = dishes.design(generator(family), generator(1))
        first, second = (dishes.serve(dish, generator(view)) for view in (1, 2))
        assert np.array_equal(first[:, :, 3], second[:, :, 3])  # the crockery is the same
        assert (np.abs(first[:, :, :3].astype(int) - second[:, :, :3]).max(axis=2) > 30).mean() > 0.02
        assert not first[0, 0, 3] and first[100, 100, 3] == 255  # nothing in the corner, all of the middle


def test_from_straight_above_a_square_stays_one_and_from_the_side_it_gets_flat():
    above = dishes._seen_from(0.0, 0.0)
    assert np.allclose(above, [[-1, -1], [1, -1], [1, 1], [-1, 1]])
    flat = dishes._seen_from(1.2, 0.0)
    assert np.ptp(flat[:, 1]) < 0.5 * np.ptp(flat[:, 0])
    assert flat[2, 0] > flat[1, 0]  # the near edge is wider
