import numpy as np
import pytest

from data_prep.miniature import paintings

COLOURS = [(180, 60, 50), (60, 160, 80), (50, 70, 190), (220, 200, 120)]


@pytest.mark.parametrize("manner", [0, 1, 2])
def test_each_manner_paints_pictures_of_their_own(manner):
    drawn = [paintings.paint(manner, COLOURS, np.random.default_rng(seed)) for seed in (1, 1, 2, 3)]
    assert all(picture.shape == (144, 144, 3) and picture.dtype == np.uint8 for picture in drawn)
    assert np.array_equal(drawn[0], drawn[1]) and len({picture.tobytes() for picture in drawn}) == 3
    assert all(picture.std() > 15 for picture in drawn)


def test_the_frame_covers_the_border_and_leaves_the_picture():
    picture = np.full((144, 144, 3), 77, dtype=np.uint8)
    framed = paintings.framed(picture, (200, 150, 20), np.random.default_rng(0))
    assert tuple(framed[2, 2]) == (200, 150, 20) and tuple(framed[72, 72]) == (77, 77, 77)
    assert np.all(picture == 77)
