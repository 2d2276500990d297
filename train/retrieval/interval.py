"""How far a score would move with other queries."""

import numpy as np

from train.retrieval.protocol import RetrievalScore


def bootstrap_interval(
    score: RetrievalScore, n_resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """(low, high) of the domain-mean mMP@5 when the queries of each domain are drawn again with replacement.

    Percentile bootstrap. It speaks of the queries only: other classes, or another index, would move the score
    further.
    """
    drawn = _draw_means(score, n_resamples, seed)
    return percentile_interval(np.mean(list(drawn.values()), axis=0), level)


def domain_intervals(
    score: RetrievalScore, n_resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """domain -> (low, high) of its mMP@5, from the same drawing as `bootstrap_interval`."""
    drawn = _draw_means(score, n_resamples, seed)
    return {domain: percentile_interval(means, level) for domain, means in drawn.items()}


def percentile_interval(drawn: np.ndarray, level: float) -> tuple[float, float]:
    """(low, high) between which the middle `level` of the drawn values [R] lies."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draw_means(score: RetrievalScore, n_resamples: int, seed: int) -> dict[str, np.ndarray]:
    """domain -> [n_resamples] mean mMP@5 of queries drawn again."""
    rng = np.random.default_rng(seed)
    means = {}
    for domain in score.per_domain:
        values, counts = np.unique(score.per_query[score.query_domains == domain], return_counts=True)
        # Drawing n queries is drawing how often each of their few distinct values comes up.
        drawn = rng.multinomial(
            counts.sum(), counts / counts.sum(), size=n_resamples
        )  # [n_resamples, values]
        means[domain] = drawn @ values / counts.sum()
    return means
