import numpy as np
import pytest

from data_prep.miniature import housewares
from data_prep.miniature.furniture import Look

BUILDERS = {name: getattr(housewares, name) for name in ("lamp", "mug", "kettle", "toaster")}
LOOK = Look((200, 80, 60), (90, 90, 200), (40, 30, 20), np.full((96, 96, 3), 128, dtype=np.uint8))


@pytest.mark.parametrize("name", BUILDERS)
def test_pieces_stand_on_the_ground_and_differ_between_items(name):
    built = [BUILDERS[name](np.random.default_rng(1), np.random.default_rng(own), LOOK) for own in range(12)]
    points = [np.vstack([part.points for part in parts]) for parts in built]
    assert all(
        np.isfinite(found).all() and found[:, 1].min() == pytest.approx(0, abs=0.02) for found in points
    )
    assert len({found.tobytes() for found in points}) == len(points)


def test_the_motif_of_a_mug_is_its_own():
    labels = []
    for own in (1, 2):
        body = housewares.mug(np.random.default_rng(1), np.random.default_rng(own), LOOK)[1]
        labels.append(
            np.concatenate([texture.ravel() for _, _, texture in body.faces if texture is not None])
        )
    assert labels[0].shape != labels[1].shape or (labels[0] != labels[1]).mean() > 0.02
