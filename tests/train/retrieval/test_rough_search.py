"""Candidates in float32: no row that is left out may score higher; against numpy and faiss."""

import numpy as np
import pytest
import torch

from train.retrieval import rough_search
from train.retrieval.rough_search import best_candidates


def vectors(n_queries, n_index, dim=16, seed=0):
    rng = np.random.default_rng(seed)
    index = rng.standard_normal((n_index, dim)).astype(np.float32)
    return rng.standard_normal((n_queries, dim)).astype(np.float32), index


def check(queries, index, n_wanted, metric, device="cpu"):
    rows, scores = best_candidates(queries, index, n_wanted, metric, device)
    exact = queries.astype(np.float64) @ index.T.astype(np.float64)
    if metric == "euclidean":
        exact -= np.square(index.astype(np.float64)).sum(axis=1) / 2
    expected = np.sort(exact, axis=1)[:, ::-1][:, :n_wanted]
    assert rows.shape == scores.shape == (len(queries), n_wanted)
    assert all(len(set(row)) == n_wanted for row in rows.tolist())
    assert np.allclose(scores, expected, atol=1e-4)
    assert np.allclose(np.take_along_axis(exact, rows, axis=1), expected, atol=1e-4)


@pytest.fixture(params=["threshold", "merging"])
def way(request, monkeypatch):
    """Both ways on this CPU: merging stands in for a GPU."""
    monkeypatch.setattr(rough_search, "_by_threshold", getattr(rough_search, f"_by_{request.param}"))
    return request.param


@pytest.mark.parametrize("metric", ["inner_product", "euclidean"])
@pytest.mark.parametrize(("n_index", "n_wanted"), [(1, 1), (40, 40), (41, 3), (999, 38), (1000, 7)])
def test_candidates_are_the_best_for_any_number_of_rows(way, metric, n_index, n_wanted, monkeypatch):
    monkeypatch.setitem(rough_search._ROWS_PER_BLOCK, "cpu", 48)  # most searches end in a part of a block or group
    check(*vectors(9, n_index), n_wanted, metric)


@pytest.mark.parametrize("most_waiting", [1, 10**6])
def test_rows_that_get_better_all_the_way_are_all_seen(way, most_waiting, monkeypatch):
    # Every row beats all before it: the worst case for a threshold.
    monkeypatch.setitem(rough_search._ROWS_PER_BLOCK, "cpu", 32)
    monkeypatch.setattr(rough_search, "_MOST_WAITING", most_waiting)
    index = np.linspace(0.1, 5, 700, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    queries = np.array([[1, 1, 1], [0, 2, 0], [-1, -1, -1]], np.float32)
    check(queries, index, 33, "inner_product")
    check(queries, index[::-1].copy(), 33, "inner_product")


def test_training_settings_do_not_reach_the_products_and_come_back():
    queries, index = vectors(3, 500, 64)
    plain = best_candidates(queries, index, 20, "inner_product", "cpu")
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            under = best_candidates(queries, index, 20, "inner_product", "cpu")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert all(np.array_equal(a, b) for a, b in zip(plain, under))


@pytest.mark.parametrize("metric", ["inner_product", "euclidean"])
def test_faiss_finds_the_same(metric):
    import faiss

    queries, index = vectors(20, 9000, 64, seed=1)
    kind = faiss.METRIC_INNER_PRODUCT if metric == "inner_product" else faiss.METRIC_L2
    _, theirs = faiss.knn(queries, index, 10, metric=kind)
    assert np.array_equal(best_candidates(queries, index, 10, metric, "cpu")[0], theirs)


@pytest.mark.gpu
@pytest.mark.parametrize("metric", ["inner_product", "euclidean"])
def test_a_gpu_finds_the_same(metric):
    check(*vectors(50, 200_000, 64), 30, metric, "cuda")
