import numpy as np
import pytest

from data_prep.miniature import garments, paper_doll
from data_prep.miniature.paper_doll import SHEET, Cut, Garment

RED, INK = (230, 20, 20), (20, 20, 230)


def garment(kind, motif=None, hem=200.0):
    cut = Cut(kind, 30, 25, 40, 10, 10, hem, 50, False)
    cloth = np.full((*SHEET, 3), RED, dtype=np.uint8)
    return Garment(cut, [(cloth, INK)], motif, (100, 100, 15), 0, False, False, 1.0)


def reddish(doll):
    return (doll[:, :, 0] > 90) & (doll[:, :, 1] < 40) & (doll[:, :, 2] < 40)


@pytest.mark.parametrize("kind", garments.KINDS)
def test_the_cloth_covers_its_part_of_the_figure(kind):
    doll = paper_doll.dress(garment(kind), 0, "front", np.random.default_rng(0))
    assert doll.shape == (*SHEET, 4) and set(np.unique(doll[:, :, 3])) >= {0, 255}
    rows = np.nonzero(reddish(doll))[0]
    low_half = kind in ("Pants", "Skirts")
    assert (rows.min() > 120) == low_half and rows.max() == pytest.approx(200, abs=8)
    assert np.all(doll[reddish(doll)][:, 3] == 255)


def test_a_longer_hem_reaches_further_down():
    short, long = (
        np.nonzero(
            reddish(paper_doll.dress(garment("Dresses", hem=hem), 0, "front", np.random.default_rng(0)))
        )[0].max()
        for hem in (195, 260)
    )
    assert long - short == pytest.approx(65, abs=6)


def test_the_motif_is_on_the_front_only():
    circle = np.column_stack([np.cos(np.linspace(0, 6.2, 30)), np.sin(np.linspace(0, 6.2, 30))])
    for pose, there in (("front", True), ("back", False)):
        doll = paper_doll.dress(garment("Dresses", circle), 0, pose, np.random.default_rng(0)).astype(int)
        middle = doll[95:105, 95:105]
        assert ((middle[:, :, 2] - middle[:, :, 0]).mean() > 50) == there


def test_what_else_the_figure_wears_is_left_to_chance():
    item = garment("Skirts")
    tops = {
        tuple(paper_doll.dress(item, 0, "front", np.random.default_rng(seed))[100, 100]) for seed in range(6)
    }
    assert len(tops) == 6
