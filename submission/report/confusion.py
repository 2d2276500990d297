"""Where wrong neighbours come from: which domains a model mixes up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.retrieval.protocol import RetrievalScore

_DEPTH = 5


@dataclass(frozen=True)
class Confusion:
    """`right` [D]: share of the places that count which hold a match, by the query's domain.

    `wrong` [D, E]: share that holds a wrong image of the index domain; the rest of a row, if any, found nothing.
    """

    query_domains: list[str]
    index_domains: list[str]
    right: np.ndarray
    wrong: np.ndarray


def measure_confusion(score: RetrievalScore, domains: Sequence[str]) -> Confusion:
    """Shares over the first min(n_matches, 5) places of every query, pooled within the query's domain.

    Args:
        score: of the model.
        domains: [M] of all items.
    """
    index_domains, code_by_row = np.unique(np.asarray(domains), return_inverse=True)
    query_domains, code_by_query = np.unique(score.query_domains, return_inverse=True)
    depth = np.minimum(score.n_matches, _DEPTH)
    counted = np.arange(_DEPTH) < depth[:, None]  # [Q, 5]
    n_places = np.zeros(len(query_domains))
    np.add.at(n_places, code_by_query, depth)
    right = np.zeros(len(query_domains))
    np.add.at(right, code_by_query, (score.hits & counted).sum(axis=1))
    wrong = np.zeros((len(query_domains), len(index_domains)))
    queries, places = np.nonzero(counted & ~score.hits & (score.neighbours >= 0))
    found_domains = code_by_row[score.neighbours[queries, places]]
    np.add.at(wrong, (code_by_query[queries], found_domains), 1)
    return Confusion(
        query_domains.tolist(), index_domains.tolist(), right / n_places, wrong / n_places[:, None]
    )
