"""Hand-checked numbers (the doctests) and agreement with slow loops on random lists."""

import doctest

import numpy as np
import pytest

from train.retrieval import metrics, relevance


@pytest.mark.parametrize(("module", "n_examples"), [(metrics, 8), (relevance, 1)])
def test_doctests_run_and_hold(module, n_examples):
    result = doctest.testmod(module)
    assert result.attempted >= n_examples
    assert result.failed == 0


def slow_modified_precision(hits, n_matches, k):
    depth = min(n_matches, k)
    return sum(1 for rank in range(depth) if hits[rank]) / depth


def slow_average_precision(hits, n_matches, k):
    total = 0.0
    for rank in range(k):
        if hits[rank]:
            total += sum(hits[: rank + 1]) / (rank + 1)
    return total / min(n_matches, k)


@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_metrics_agree_with_slow_loops_on_random_lists(k):
    rng = np.random.default_rng(k)
    relevant = rng.random((200, 20)) < 0.4
    n_matches = relevant.sum(axis=1) + rng.integers(1, 30, size=200)
    precisions = metrics.modified_precision_at_k(relevant, n_matches, k)
    averages = metrics.average_precision_at_k(relevant, n_matches, k)
    for row, hits in enumerate(relevant.tolist()):
        assert precisions[row] == pytest.approx(slow_modified_precision(hits, n_matches[row], k))
        assert averages[row] == pytest.approx(slow_average_precision(hits, n_matches[row], k))
    assert metrics.recall_at_1(relevant).tolist() == [float(hits[0]) for hits in relevant.tolist()]


def test_first_occurrences_agrees_with_a_slow_loop():
    rng = np.random.default_rng(0)
    rows = rng.integers(-1, 6, size=(100, 8))
    marks = metrics.first_occurrences(rows)
    for ranked, marked in zip(rows.tolist(), marks.tolist(), strict=True):
        seen: set[int] = set()
        for row, mark in zip(ranked, marked, strict=True):
            assert mark == (row >= 0 and row not in seen)
            seen.add(row)


def test_a_query_without_matches_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="query 1 has no match"):
        metrics.modified_precision_at_k(np.ones((2, 5), dtype=bool), np.array([1, 0]))
    with pytest.raises(ValueError, match="query 1 has no match"):
        metrics.average_precision_at_k(np.ones((2, 5), dtype=bool), np.array([1, 0]), k=5)


def test_lists_shorter_than_k_or_of_numbers_are_errors():
    with pytest.raises(ValueError, match=r"bool \[Q, >= 5\], got bool \(2, 4\)"):
        metrics.modified_precision_at_k(np.ones((2, 4), dtype=bool), np.array([1, 1]))
    with pytest.raises(ValueError, match="got int64"):
        metrics.modified_precision_at_k(np.ones((2, 5), dtype=np.int64), np.array([1, 1]))
    with pytest.raises(ValueError, match=r"n_matches: expected \[2\]"):
        metrics.modified_precision_at_k(np.ones((2, 5), dtype=bool), np.array([1]))
    with pytest.raises(ValueError, match=r"\[Q, >= 1\]"):
        metrics.recall_at_1(np.ones(3, dtype=bool))
