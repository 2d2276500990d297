"""The interval against drawing every query again."""

import numpy as np
import pytest

from train.retrieval.interval import bootstrap_interval
from train.retrieval.protocol import EvaluationItems, score_embeddings


def test_bootstrap_interval_agrees_with_drawing_the_queries_again():
    rng = np.random.default_rng(8)
    domains = ["cars"] * 60 + ["toys"] * 30
    class_keys = [("abcde"[row % 5],) for row in range(90)]
    items = EvaluationItems(domains, class_keys, ["both"] * 90, [str(row) for row in range(90)])
    centres = np.eye(5)[np.arange(90) % 5]
    score = score_embeddings(centres + 0.5 * rng.standard_normal((90, 5)), items)
    low, high = bootstrap_interval(score, n_resamples=4000)
    means = []
    for _ in range(4000):
        of_domains = []
        for domain in ("cars", "toys"):
            values = score.per_query[score.query_domains == domain]
            of_domains.append(rng.choice(values, size=len(values)).mean())
        means.append(np.mean(of_domains))
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.01)
    assert low < score.overall["mMP@5"] < high
    assert bootstrap_interval(score, n_resamples=4000) == (low, high)
    assert bootstrap_interval(score, n_resamples=4000, seed=1) != (low, high)
    assert bootstrap_interval(score, n_resamples=4000, level=0.5)[0] > low
