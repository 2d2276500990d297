import numpy as np

from data_prep.miniature import buildings


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(buildings, ["day", "evening"])


def test_buildings_of_an_architect_share_stone_and_roofs_but_not_their_plan():
    first, second = (
        buildings.design(np.random.default_rng(4), np.random.default_rng(own)).solid for own in (1, 2)
    )
    common = {tuple(colour) for colour in first.colours} & {tuple(colour) for colour in second.colours}
    assert len(common) >= 2
    assert first.points.shape != second.points.shape or not np.allclose(first.points, second.points)


def test_every_roof_form_stands_on_its_tower():
    order = buildings._order(np.random.default_rng(0))
    for form in buildings.ROOFS:
        points = np.vstack([part.points for part in buildings._cap(order, form, (0.5, 0.0), 2.0, 0.2, 0.5)])
        assert points[:, 1].min() >= 1.99 and points[:, 1].max() > 2.02
        assert abs(points[:, 0].mean() - 0.5) < 0.05
