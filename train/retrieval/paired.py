"""Two models scored on the same queries: is one better, or did the queries fall its way?"""

from dataclasses import dataclass

import numpy as np

from train.retrieval.interval import percentile_interval

_ELEMENTS_AT_ONCE = 2**22  # float64 numbers drawn at a time: 32 MB
_ZERO = 1e-12  # differences that cancel leave rounding errors of this size


@dataclass(frozen=True)
class Difference:
    """b minus a of one metric over one set of queries.

    `low` and `high` hold the middle 95 % of the resamples; `share_better` of them have b above a; `n_changed` of the
    `n_queries` queries have another value under b.
    """

    difference: float
    low: float
    high: float
    share_better: float
    n_queries: int
    n_changed: int


def paired_bootstrap(
    differences: np.ndarray, domains: np.ndarray, n_resamples: int = 4000, level: float = 0.95, seed: int = 0
) -> tuple[dict[str, list[Difference]], list[Difference]]:
    """Draw the queries of each domain again with replacement, both models together.

    Drawing pairs keeps what the models have in common (hard queries are hard for both) out of the interval, which is
    why it is narrower than two separate intervals suggest. Percentile bootstrap of Efron and Tibshirani, "An
    Introduction to the Bootstrap" (1993), chapter 13, stratified by domain.

    Args:
        differences: float64 [Q, K], b minus a of K metrics for each query.
        domains: [Q].
        n_resamples: times that the queries are drawn.
        level: share of the resamples inside the interval.
        seed: of the drawing.

    Returns:
        (domain -> K differences, K differences of the mean of the domains with equal weight).

    Raises:
        ValueError: shapes that do not fit, no queries, values that are not finite.
    """
    differences, domains = np.asarray(differences, dtype=np.float64), np.asarray(domains)
    if differences.ndim != 2 or domains.shape != differences.shape[:1] or not len(domains):
        raise ValueError(f"expected [Q, K] and [Q] with Q > 0, got {differences.shape} and {domains.shape}")
    if not np.isfinite(differences).all():
        raise ValueError(f"query {int((~np.isfinite(differences)).any(axis=1).argmax())}: not finite")
    rng = np.random.default_rng(seed)
    per_domain, drawn, means = {}, [], []
    for domain in np.unique(domains).tolist():
        chosen = differences[domains == domain]
        drawn.append(_draw_means(chosen, n_resamples, rng))
        means.append(chosen.mean(axis=0))
        per_domain[domain] = _describe(means[-1], drawn[-1], chosen, level)
    return per_domain, _describe(np.mean(means, axis=0), np.mean(drawn, axis=0), differences, level)


def _draw_means(differences: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """[Q, K] -> [n_resamples, K] means of Q rows drawn with replacement."""
    n_queries, n_metrics = differences.shape
    step = max(1, _ELEMENTS_AT_ONCE // differences.size)
    means = np.empty((n_resamples, n_metrics))
    for start in range(0, n_resamples, step):
        part = slice(start, min(start + step, n_resamples))
        rows = rng.integers(0, n_queries, size=(part.stop - part.start, n_queries))
        means[part] = differences[rows].mean(axis=1)
    return means


def _describe(means: np.ndarray, drawn: np.ndarray, differences: np.ndarray, level: float) -> list[Difference]:
    """Means [K], drawn means [R, K], differences [Q, K] -> K differences."""
    described = []
    for metric, mean in enumerate(means):
        low, high = percentile_interval(drawn[:, metric], level)
        share_better = float((drawn[:, metric] > _ZERO).mean())
        n_changed = int((np.abs(differences[:, metric]) > _ZERO).sum())
        described.append(Difference(float(mean), low, high, share_better, len(differences), n_changed))
    return described
