import numpy as np

from data_prep.miniature import artworks


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(artworks, ["catalogue", "visitor"])


def test_all_kinds_of_exhibit_are_made_and_flat_ones_hang():
    works = [artworks.design(np.random.default_rng(seed), np.random.default_rng(1)) for seed in range(30)]
    assert {work.flat for work in works} == {True, False}
    assert all(np.isfinite(work.solid.points).all() for work in works)
    depth = [np.ptp(work.solid.points[:, 2]) for work in works if work.flat]
    assert max(depth) <= 0.06


def test_the_museums_pictures_are_calmer_than_the_visitors():
    work = artworks.design(np.random.default_rng(0), np.random.default_rng(1))
    spread = {}
    for style in ("catalogue", "visitor"):
        means = [
            artworks.photo(work, np.random.default_rng(seed), style).mean(axis=(0, 1)) for seed in range(30)
        ]
        spread[style] = np.std(means, axis=0).mean()
    assert spread["visitor"] > 1.3 * spread["catalogue"]
