"""The interval against drawing every query again."""

from dataclasses import replace

import numpy as np
import pytest

from train.retrieval.interval import bootstrap_intervals
from train.retrieval.protocol import EvaluationItems, score_embeddings


def test_bootstrap_interval_agrees_with_drawing_the_queries_again():
    rng = np.random.default_rng(8)
    domains = ["cars"] * 60 + ["toys"] * 30
    class_keys = [("abcde"[row % 5],) for row in range(90)]
    items = EvaluationItems(domains, class_keys, ["both"] * 90, [str(row) for row in range(90)])
    centres = np.eye(5)[np.arange(90) % 5]
    score = score_embeddings(centres + 0.5 * rng.standard_normal((90, 5)), items)
    (low, high), _ = bootstrap_intervals(score, n_resamples=4000)
    means = []
    for _ in range(4000):
        of_domains = []
        for domain in ("cars", "toys"):
            values = score.per_query[score.query_domains == domain]
            of_domains.append(rng.choice(values, size=len(values)).mean())
        means.append(np.mean(of_domains))
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.01)
    assert low < score.overall["mMP@5"] < high
    assert bootstrap_intervals(score, n_resamples=4000)[0] == (low, high)
    assert bootstrap_intervals(score, n_resamples=4000, seed=1)[0] != (low, high)
    assert bootstrap_intervals(score, n_resamples=4000, level=0.5)[0][0] > low


def test_each_domain_has_its_own_interval():
    domains = ["cars"] * 4 + ["toys"] * 4
    items = EvaluationItems(domains, [("ab"[row % 2],) for row in range(8)], ["both"] * 8, [str(r) for r in range(8)])
    # toys: each class lies together, all right; cars: the classes lie across each other, all wrong
    places = [(0, 1), (10, 1), (0, 1), (10, 1), (20, 1), (30, 1), (20, 1), (30, 1)]
    places[:4] = [(0, 1), (0, 2), (10, 1), (10, 2)]
    score = score_embeddings(np.array(places, dtype=np.float32), items, "euclidean")
    assert score.per_query.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert bootstrap_intervals(score, n_resamples=50)[1] == {"cars": (0.0, 0.0), "toys": (1.0, 1.0)}
    mixed = replace(score, by_query={"mMP@5": np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])})
    of_all, of_domains = bootstrap_intervals(mixed)
    # Of four draws of a coin, none is heads in 1 of 16: more than the 2.5 % at each end.
    assert of_domains == {"cars": (0.0, 1.0), "toys": (1.0, 1.0)}
    assert of_all == (0.5, 1.0)
