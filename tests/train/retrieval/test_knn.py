"""Exactness, ties by lowest row and self-exclusion, against one loop over all pairs."""

import numpy as np
import pytest

from train.retrieval import knn, rough_search


def slow_search(queries, index, k, metric, exclude_rows=None):
    """Every pair in float64; sorted by (score down, row up)."""
    found = np.full((len(queries), k), -1)
    for q, query in enumerate(queries.astype(np.float64)):
        scored = []
        for row, vector in enumerate(index.astype(np.float64)):
            if exclude_rows is not None and row == exclude_rows[q]:
                continue
            score = (
                float((query * vector).sum())
                if metric == "inner_product"
                else -float(((query - vector) ** 2).sum())
            )
            scored.append((-score, row))
        best = [row for _, row in sorted(scored)[:k]]
        found[q, : len(best)] = best
    return found


@pytest.mark.parametrize("metric", knn.METRICS)
@pytest.mark.parametrize("k", [1, 5, 40])
def test_random_vectors_agree_with_the_slow_loop(metric, k):
    rng = np.random.default_rng(k)
    queries, index = rng.standard_normal((30, 16)), rng.standard_normal((300, 16))
    assert (
        knn.search(queries, index, k, metric)
        == slow_search(np.float32(queries), np.float32(index), k, metric)
    ).all()


@pytest.mark.parametrize("metric", knn.METRICS)
@pytest.mark.parametrize("k", [1, 3, 7, 100])
def test_ties_go_to_the_lowest_row_also_where_they_cross_k(metric, k):
    # Whole numbers in three dimensions: scores are exact and most rows tie with many others.
    rng = np.random.default_rng(k)
    queries = rng.integers(-2, 3, size=(60, 3)).astype(np.float32)
    index = rng.integers(-2, 3, size=(900, 3)).astype(np.float32)
    expected = slow_search(queries, index, k, metric)
    assert (knn.search(queries, index, k, metric) == expected).all()


@pytest.mark.parametrize("metric", knn.METRICS)
def test_copies_of_a_vector_tie_wherever_they_lie(metric):
    # Irrational values, odd dimension: a blocked float32 product may score copies differently.
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((7, 61)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    centre_of_row = rng.integers(0, 7, size=1500)
    found = knn.search(centres, centres[centre_of_row], 20, metric)
    for centre in range(7):
        assert found[centre].tolist() == np.flatnonzero(centre_of_row == centre)[:20].tolist()


def test_an_index_of_equal_rows_gives_the_first_rows():
    vectors = np.full((500, 64), 0.125, dtype=np.float32)
    found = knn.search(vectors[:3], vectors, 5, exclude_rows=np.array([0, 2, -1]))
    assert found.tolist() == [[1, 2, 3, 4, 5], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize("metric", knn.METRICS)
def test_the_query_itself_is_excluded_by_row_and_not_by_position(metric):
    rng = np.random.default_rng(4)
    index = rng.integers(-1, 2, size=(200, 4)).astype(np.float32)  # exact duplicates of most rows
    own_rows = np.arange(200)
    own_rows[::3] = -1
    found = knn.search(index, index, 6, metric, exclude_rows=own_rows)
    assert (found == slow_search(index, index, 6, metric, own_rows)).all()
    assert not (found == np.where(own_rows < 0, -2, own_rows)[:, None]).any()


@pytest.mark.parametrize("metric", knn.METRICS)
def test_blocks_do_not_change_the_result(metric, monkeypatch):
    rng = np.random.default_rng(5)
    queries = rng.integers(-2, 3, size=(50, 4)).astype(np.float32)
    index = rng.integers(-2, 3, size=(400, 4)).astype(np.float32)
    expected = slow_search(queries, index, 9, metric)
    monkeypatch.setitem(rough_search.QUERIES_PER_BLOCK, rough_search.device_type(), 7)
    monkeypatch.setattr(knn, "_BLOCK_ELEMENTS", 90)  # the slow search then reads 22 rows at once
    assert (knn.search(queries, index, 9, metric) == expected).all()


def test_scores_closer_than_float32_can_tell_are_ordered_exactly():
    # Inner products 1 + 2^-24 * j: float32 holds neither their differences nor a hint of the order.
    n_rows = 200
    steps = np.random.default_rng(6).permutation(n_rows)
    index = np.stack([np.ones(n_rows), steps * 2.0**-24], axis=1).astype(np.float32)
    found = knn.search(np.ones((1, 2), dtype=np.float32), index, 50)
    assert found[0].tolist() == np.argsort(-steps)[:50].tolist()


def test_missing_results_are_minus_one():
    vectors = np.eye(3, dtype=np.float32)
    assert knn.search(vectors[:1], vectors, 5, exclude_rows=np.array([0])).tolist() == [[1, 2, -1, -1, -1]]
    assert knn.search(vectors, vectors[:0], 2).tolist() == [[-1, -1]] * 3


def test_wrong_input_is_named():
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="no metric 'cosine'; known: inner_product, euclidean"):
        knn.search(vectors, vectors, 1, "cosine")
    with pytest.raises(ValueError, match="equal dimensions"):
        knn.search(vectors[:, :2], vectors, 1)
    with pytest.raises(ValueError, match=r"exclude_rows: expected \[3\]"):
        knn.search(vectors, vectors, 1, exclude_rows=np.array([0]))
    vectors[1, 1] = np.nan
    with pytest.raises(ValueError, match="index: row 1 is not finite"):
        knn.search(np.eye(3), vectors, 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_candidates_come_from_the_gpu_where_there_is_one(device, monkeypatch):
    asked = []

    def candidates(queries, index, n_wanted, metric, where):
        asked.append((where, len(queries)))
        return find(queries, index, n_wanted, metric, "cpu")

    find = rough_search.best_candidates
    monkeypatch.setattr(rough_search.torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr(rough_search, "best_candidates", candidates)
    monkeypatch.setattr(rough_search, "QUERIES_PER_BLOCK", {"cpu": 2, "cuda": 3})
    vectors = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    assert (knn.search(vectors, vectors, 2) == slow_search(vectors, vectors, 2, "inner_product")).all()
    assert asked == ([("cpu", 2)] * 3 if device == "cpu" else [("cuda", 3)] * 2)
