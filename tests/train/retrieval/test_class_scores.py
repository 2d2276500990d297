import numpy as np

from train.retrieval import class_scores
from train.retrieval.class_scores import score_classes

NAMES = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)


def test_by_hand():
    # Picture 0 lies on name 0; picture 1 at (0.8, 0.6): cosines 0.8, 0.96, 0.6; picture 2 on name 2.
    pictures = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    own, best_rows, best = score_classes(pictures, NAMES, np.array([0, 0, 1]))
    assert np.allclose(own, [1.0, 0.8, 0.8])
    assert best_rows.tolist() == [0, 1, 2]
    assert np.allclose(best, [1.0, 0.96, 1.0])


def test_the_first_of_equal_names_is_the_best():
    own, best_rows, _ = score_classes(NAMES[:1], np.array([[0, 1], [1, 0], [1, 0]], np.float32), np.array([2]))
    assert own.tolist() == [1.0] and best_rows.tolist() == [1]


def test_pieces_equal_a_slow_loop(monkeypatch):
    rng = np.random.default_rng(0)
    pictures, names = rng.normal(size=(50, 8)).astype(np.float32), rng.normal(size=(7, 8)).astype(np.float32)
    own_rows = rng.integers(0, 7, 50)
    monkeypatch.setattr(class_scores, "_CELLS_AT_ONCE", 21)  # three pictures at once
    own, best_rows, best = score_classes(pictures, names, own_rows)
    for n in range(50):
        cosines = [sum(float(a) * float(b) for a, b in zip(pictures[n], name)) for name in names]
        assert abs(own[n] - cosines[own_rows[n]]) < 1e-5
        assert best_rows[n] == cosines.index(max(cosines)) and abs(best[n] - max(cosines)) < 1e-5


def test_no_pictures():
    parts = score_classes(np.empty((0, 2), np.float32), NAMES, np.empty(0, np.int64))
    assert [len(part) for part in parts] == [0, 0, 0]
