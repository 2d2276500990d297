"""Paired differences: by hand, against drawing again in a loop, and at the edges."""

import numpy as np
import pytest

from train.retrieval.paired import paired_bootstrap


def test_means_of_domains_and_their_mean_by_hand():
    # toys: (0.2 + 0.4 + 0.0) / 3 = 0.2; cars: -0.4 alone; mean of the domains: (0.2 - 0.4) / 2 = -0.1, not pooled 0.05
    differences = np.array([[0.2], [0.4], [-0.4], [0.0]])
    per_domain, mean = paired_bootstrap(differences, np.array(["toys", "toys", "cars", "toys"]), n_resamples=50)
    assert list(per_domain) == ["cars", "toys"]
    toys, cars = per_domain["toys"][0], per_domain["cars"][0]
    assert (toys.difference, toys.n_queries, toys.n_changed) == (pytest.approx(0.2), 3, 2)
    assert (cars.difference, cars.low, cars.high, cars.share_better) == (-0.4, -0.4, -0.4, 0.0)
    assert (mean[0].difference, mean[0].n_queries, mean[0].n_changed) == (pytest.approx(-0.1), 4, 3)
    assert mean[0].low == pytest.approx((toys.low - 0.4) / 2) and mean[0].high == pytest.approx((toys.high - 0.4) / 2)


def test_two_queries_have_the_three_outcomes_that_can_be_counted():
    # Drawing two of {+1, -1} gives +1, 0, -1 in 1, 2, 1 of 4 cases.
    found = paired_bootstrap(np.array([[1.0], [-1.0]]), np.array(["toys", "toys"]), n_resamples=20_000)[1][0]
    assert found.difference == 0.0 and (found.low, found.high) == (-1.0, 1.0)
    assert found.share_better == pytest.approx(0.25, abs=0.015)


def test_the_interval_agrees_with_drawing_both_runs_again_in_a_loop():
    rng = np.random.default_rng(5)
    domains = np.array(["cars"] * 40 + ["toys"] * 25)
    difficulty = rng.uniform(size=65)  # common to both runs: must cancel
    first, second = difficulty + 0.05 * rng.standard_normal(65), difficulty + 0.02 + 0.05 * rng.standard_normal(65)
    found = paired_bootstrap((second - first)[:, None], domains)[1][0]
    drawn = []
    for _ in range(4000):
        means = []
        for domain in ("cars", "toys"):
            rows = rng.choice(np.flatnonzero(domains == domain), size=(domains == domain).sum())
            means.append(second[rows].mean() - first[rows].mean())
        drawn.append(np.mean(means))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.002)
    assert found.share_better == pytest.approx(np.mean(np.array(drawn) > 0), abs=0.03)
    assert found.high - found.low < 0.1  # unpaired, the difficulty alone would make it 0.2


def test_metrics_are_columns_and_the_drawing_is_repeatable(monkeypatch):
    rng = np.random.default_rng(0)
    differences, domains = rng.standard_normal((30, 3)), np.array(["a", "b", "c"] * 10)
    once = paired_bootstrap(differences, domains, n_resamples=100)
    assert paired_bootstrap(differences, domains, n_resamples=100) == once
    assert paired_bootstrap(differences, domains, n_resamples=100, seed=1) != once
    assert [found.difference for found in once[1]] == pytest.approx(differences.mean(axis=0).tolist())
    wide, narrow = once[1][0], paired_bootstrap(differences, domains, n_resamples=100, level=0.5)[1][0]
    assert wide.low < narrow.low < narrow.high < wide.high
    monkeypatch.setattr("train.retrieval.paired._ELEMENTS_AT_ONCE", 64)  # in many small parts: the same draws
    assert paired_bootstrap(differences, domains, n_resamples=100) == once


def test_equal_runs_do_not_differ_and_rounding_is_no_lead():
    zeros = np.zeros((6, 1))
    found = paired_bootstrap(zeros, np.array(["toys"] * 6), n_resamples=20)[1][0]
    assert (found.difference, found.low, found.high, found.share_better, found.n_changed) == (0, 0, 0, 0, 0)
    found = paired_bootstrap(zeros + 1e-16, np.array(["toys"] * 6), n_resamples=20)[1][0]
    assert (found.share_better, found.n_changed) == (0, 0)


@pytest.mark.parametrize(("differences", "n_domains", "said"), [
    (np.zeros((0, 1)), 0, "Q > 0"), (np.zeros(3), 3, r"got \(3,\)"), (np.zeros((3, 1)), 2, r"\(2,\)"),
    (np.array([[0.0], [np.nan]]), 2, "query 1: not finite"),
])
def test_what_cannot_be_compared_is_refused(differences, n_domains, said):
    with pytest.raises(ValueError, match=said):
        paired_bootstrap(differences, np.array(["toys"] * n_domains))
