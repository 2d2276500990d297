"""The map: its dots against PCA by SVD, who is drawn, where the page ends."""

import re

import numpy as np
import pytest

from submission.report import embedding_map
from submission.report.embedding_map import HEIGHT, WIDTH, draw_map


def test_dots_lie_as_the_first_two_singular_vectors_lay_them(scored):
    drawn = draw_map(scored.embeddings, scored.evaluation)
    centred = scored.embeddings - scored.embeddings.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:2].T
    got = np.stack([drawn.points["x"], drawn.points["y"]], axis=1) - [WIDTH / 2, HEIGHT / 2]
    for axis in (0, 1):  # up to sign and the common scale
        assert abs(np.corrcoef(got[:, axis], expected[:, axis])[0, 1]) > 0.9999
    scales = got.std(axis=0) / expected.std(axis=0)
    assert scales[0] == pytest.approx(scales[1], rel=0.01)
    assert drawn.variance_share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())


def test_every_dot_is_on_the_page_in_its_domain_and_names_its_class(scored):
    drawn = draw_map(scored.embeddings, scored.evaluation)
    items = scored.evaluation.items
    points = drawn.points
    assert drawn.n_points == drawn.n_images == len(points["x"]) == 72
    assert min(points["x"]) >= 0 and max(points["x"]) <= WIDTH and min(points["y"]) >= 0 and max(points["y"]) <= HEIGHT
    assert [points["classes"][code] for code in points["class"]] == [keys[0] for keys in items.class_keys]
    for number, (domain, path) in enumerate(drawn.dots.items()):
        places = [(int(x), int(y)) for x, y in re.findall(r"M(-?\d+) (-?\d+)h0", path)]
        assert places == [(x, y) for x, y, d in zip(points["x"], points["y"], points["domain"]) if d == number]
        assert len(places) == items.domains.count(domain)


def test_large_sets_are_thinned_domain_by_domain(scored, monkeypatch):
    monkeypatch.setattr(embedding_map, "_MAX_POINTS", 20)
    drawn = draw_map(scored.embeddings, scored.evaluation)
    assert (drawn.n_points, drawn.n_images) == (20, 72)
    assert [drawn.points["domain"].count(number) for number in (0, 1)] == [10, 10]
    assert draw_map(scored.embeddings, scored.evaluation) == drawn


def test_a_line_is_no_map(scored):
    line = np.linspace(0, 1, 72, dtype=np.float32)[:, None] * np.ones((1, 16), dtype=np.float32)
    with pytest.raises(ValueError, match="PCA to 2 dimensions"):
        draw_map(line, scored.evaluation)
