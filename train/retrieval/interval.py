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
    rng = np.random.default_rng(seed)
    means = []
    for domain in score.per_domain:
        values, counts = np.unique(score.per_query[score.query_domains == domain], return_counts=True)
        # Drawing n queries is drawing how often each of their few distinct values comes up.
        drawn = rng.multinomial(
            counts.sum(), counts / counts.sum(), size=n_resamples
        )  # [n_resamples, values]
        means.append(drawn @ values / counts.sum())
    low, high = np.quantile(np.mean(means, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
