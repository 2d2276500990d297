import numpy as np

from data_prep.miniature import cars


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(cars, ["road", "showroom"])


def test_a_model_has_one_shape_and_several_paints():
    car = cars.design(np.random.default_rng(1), np.random.default_rng(2))
    first, second = car.solids
    assert np.array_equal(first.points, second.points)
    assert not np.allclose(first.colours, second.colours)
    assert len(cars.PAINT_SHARES) == len(car.solids) and sum(cars.PAINT_SHARES) == 1


def test_models_of_a_make_differ_in_shape():
    first, second = (
        cars.design(np.random.default_rng(1), np.random.default_rng(own)).solids[0] for own in (2, 3)
    )
    assert first.points.shape != second.points.shape or not np.allclose(first.points, second.points)
