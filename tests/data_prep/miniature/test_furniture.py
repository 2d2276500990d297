import numpy as np
import pytest

from data_prep.miniature import furniture, housewares

BUILDERS = {name: getattr(furniture, name) for name in ("chair", "sofa", "table", "cabinet")}
LOOK = furniture.Look((200, 80, 60), (90, 90, 200), (40, 30, 20), np.full((96, 96, 3), 128, dtype=np.uint8))


@pytest.mark.parametrize("name", BUILDERS)
def test_pieces_stand_on_the_ground_and_differ_between_items(name):
    built = [BUILDERS[name](np.random.default_rng(1), np.random.default_rng(own), LOOK) for own in range(12)]
    points = [np.vstack([part.points for part in parts]) for parts in built]
    assert all(
        np.isfinite(found).all() and found[:, 1].min() == pytest.approx(0, abs=0.05) for found in points
    )
    assert len({found.tobytes() for found in points}) == len(points)


def test_a_look_is_not_drawn_on():
    """Cabinets draw doors on their surface: on a copy, two items may share a look."""
    before = LOOK.skin.copy()
    for builder in (*BUILDERS.values(), housewares.mug, housewares.toaster):
        builder(np.random.default_rng(1), np.random.default_rng(2), LOOK)
    assert np.array_equal(LOOK.skin, before)
