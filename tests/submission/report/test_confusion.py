"""Shares by hand, and against a slow loop."""

from types import SimpleNamespace

import numpy as np
import pytest

from submission.report.confusion import measure_confusion


def test_shares_by_hand():
    # Rows 0-2 are cars, 3-4 toys, 5 a lamp, which no query is. Two queries of cars and one of toys.
    domains = ["cars", "cars", "cars", "toys", "toys", "lamps"]
    score = SimpleNamespace(
        query_domains=np.array(["cars", "cars", "toys"]),
        n_matches=np.array([2, 9, 1]),
        neighbours=np.array([[1, 3, 4, 4, 4], [0, 2, 3, 5, -1], [5, 4, 0, 1, 2]]),
        hits=np.array([[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool),
    )
    found = measure_confusion(score, domains)
    assert (found.query_domains, found.index_domains) == (["cars", "toys"], ["cars", "lamps", "toys"])
    # cars: 2 + 5 places count. Right: rows 1 and 0. Wrong: toy 3; car 2, toy 3, lamp 5; one place found nothing.
    assert found.right.tolist() == pytest.approx([2 / 7, 0.0])
    assert found.wrong.tolist() == [pytest.approx([1 / 7, 1 / 7, 2 / 7]), [0.0, 1.0, 0.0]]


def test_the_shares_of_a_row_add_up_and_right_is_what_a_loop_counts(scored):
    found = measure_confusion(scored.score, scored.evaluation.items.domains)
    assert (found.right + found.wrong.sum(axis=1)).tolist() == pytest.approx([1.0, 1.0])
    assert found.wrong[0, 1] > 0  # mugs that lie where toys do
    for number, domain in enumerate(found.query_domains):
        queries = np.flatnonzero(scored.score.query_domains == domain)
        hits = sum(scored.score.hits[q][: min(5, scored.score.n_matches[q])].sum() for q in queries)
        assert found.right[number] == pytest.approx(hits / sum(min(5, scored.score.n_matches[q]) for q in queries))
