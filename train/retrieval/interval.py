"""How far a score would move with other queries."""

import numpy as np

from train.retrieval.protocol import RetrievalScore


def bootstrap_intervals(
    score: RetrievalScore, n_resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[tuple[float, float], dict[str, tuple[float, float]]]:
    """Of mMP@5, when the queries of each domain are drawn again with replacement: percentile bootstrap.

    It speaks of the queries only: other classes, or another index, would move the score further.

    Returns:
        ((low, high) of the mean of the domains, domain -> its (low, high)).
    """
    drawn = _draw_means(score, n_resamples, seed)
    of_domains = {domain: percentile_interval(means, level) for domain, means in drawn.items()}
    return percentile_interval(np.mean(list(drawn.values()), axis=0), level), of_domains


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
