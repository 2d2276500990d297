"""Which queries are shown, and what is said of their neighbours."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

from submission.report import gallery
from submission.report.gallery import build_gallery, choose_queries, shown_rows


class FakeScore:
    """Queries of one domain with their mMP@5 and mAP@100."""

    def __init__(self, precisions, averages=None, n_matches=None):
        self.by_query = {"mMP@5": np.array(precisions), "mAP@100": np.array(averages or precisions)}
        self.per_query = self.by_query["mMP@5"]
        self.n_matches = np.array(n_matches or [5] * len(precisions))
        self.query_domains = np.array(["toys"] * len(precisions))


def choose(score, classes, n_each):
    return choose_queries(score, np.array(list(classes), dtype=object), "toys", n_each)


def test_doctests_run_and_hold():
    result = doctest.testmod(gallery)
    assert result.attempted >= 1 and result.failed == 0


def test_worst_and_best_by_hand():
    score = FakeScore([0.4, 0.0, 1.0, 0.0, 1.0, 0.8], averages=[0.3, 0.2, 0.7, 0.1, 0.9, 0.8])
    chosen = choose(score, "abcdef", 2)
    assert chosen["worst"] == [3, 1] and chosen["best"] == [4, 2]
    assert sorted(chosen["random"]) == [0, 5]
    assert choose(score, "abcdef", 2) == chosen


def test_every_class_comes_up_once_before_any_again():
    score = FakeScore([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.0, 1.0])
    chosen = choose(score, "aaabbbcdd", 3)
    assert chosen["worst"] == [0, 3, 1]  # a, b, then a again
    assert chosen["best"][:2] == [6, 7]  # c, d


def test_of_equal_queries_the_one_with_more_matches_is_the_better_one():
    assert choose(FakeScore([1.0, 1.0, 1.0], n_matches=[1, 9, 2]), "abc", 1)["best"] == [1]


@pytest.mark.parametrize(("precisions", "expected"), [
    ([1.0] * 9, (0, 3, 3)),  # nothing is wrong, so nothing is worst
    ([0.0] * 9, (3, 0, 3)),  # nothing is right, so nothing is best
    ([0.0, 1.0], (1, 1, 0)),
    ([0.5], (1, 0, 0)),
])
def test_no_query_is_shown_twice_and_small_domains_are_shared_out(precisions, expected):
    chosen = choose(FakeScore(precisions), "abcdefghi"[: len(precisions)], 3)
    assert tuple(map(len, chosen.values())) == expected
    flat = [query for queries in chosen.values() for query in queries]
    assert len(flat) == len(set(flat))


def test_places_beyond_the_matches_do_not_count(scored):
    matches = scored.score.n_matches.copy()
    matches[:] = 2
    rows = build_gallery(replace(scored.score, n_matches=matches), scored.evaluation)["toys"]
    assert {tuple(picture.is_counted for picture in row.neighbours) for row in rows} == {(True, True) + (False,) * 3}


def test_rows_say_what_the_score_says(scored):
    rows = build_gallery(scored.score, scored.evaluation)
    items = scored.evaluation.items
    query_by_row = {int(row): query for query, row in enumerate(scored.score.query_rows)}
    for domain, some in rows.items():
        for row in some:
            query = query_by_row[row.query.row]
            assert items.domains[row.query.row] == domain and row.score == scored.score.per_query[query]
            assert [picture.row for picture in row.neighbours] == scored.score.neighbours[query].tolist()
            assert [picture.verdict == "right" for picture in row.neighbours] == scored.score.hits[query].tolist()
            assert row.verdict == ("right" if row.score == 1 else "wrong")
            names = [row.query.class_name, *(picture.class_name for picture in row.neighbours)]
            assert set(row.search_text.split("\n")) == {name.lower() for name in names}
    assert shown_rows(rows) >= {row.query.row for some in rows.values() for row in some}


def test_the_number_of_rows_is_bounded_whatever_the_number_of_domains(scored):
    n = len(scored.score.query_domains)
    domains = np.array([f"domain {number % 36:02d}" for number in range(n)])
    many = replace(scored.score, query_domains=domains, per_domain=dict.fromkeys(sorted(set(domains.tolist()))))
    rows = build_gallery(many, scored.evaluation)
    assert len(rows) == 36 and {len(some) for some in rows.values()} <= {1, 2}
