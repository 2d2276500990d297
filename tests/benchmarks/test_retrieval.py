import numpy as np

from benchmarks.retrieval import OURS, PEER, PRODUCT, differences, embeddings_like, measure, missed_limits, table


def test_each_limit_can_be_missed():
    seconds = {OURS: [(1.0, 2.0)], PEER: [(1.5, 2.0)]}
    assert missed_limits("here", seconds, {OURS: 900.0}, 0.0) == []
    assert len(missed_limits("here", {**seconds, PEER: [(0.9, 9.0)]}, {OURS: 900.0}, 0.0)) == 1
    assert len(missed_limits("here", seconds, {OURS: 4001.0}, 0.0)) == 1
    assert len(missed_limits("here", seconds, {OURS: 900.0}, 1e-3)) == 1
    # 241,986 queries are 118.2 slices of 2,048.
    line = table("here", 2048, {**seconds, OURS: [(100.0, 2.0)]}, {OURS: 900.0})[2]
    assert line == f"| {OURS} | 100.00 | 2.00 | 0.01 | 1.00 | 3.28 h | 900 |"


def test_a_wrong_neighbour_shows():
    queries, index = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    right = np.array([[0, 1], [1, 0]])
    assert differences(queries, index, right, right) == (1.0, 0.0)
    assert differences(queries, index, right, right[::-1]) == (0.0, 1.0)


def test_both_ways_find_the_same():
    queries, index = embeddings_like(2000, 20)
    assert np.allclose(np.linalg.norm(index, axis=1), 1.0, atol=1e-5)
    seconds, same, gap = measure(queries, index, 5, 1)
    assert set(seconds) == {OURS, PEER, PRODUCT} and same > 0.99 and gap < 1e-6
