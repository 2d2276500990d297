"""Retrieval metrics: formulas only. No rounding, no averaging, no device.

Throughout, `relevant` [Q, >= k] says of each ranked result, best first, whether it matches its query, and
`n_matches` [Q] is the number of index images that match (the query itself not counted). A list shorter than k
is filled up with False.
"""

import numpy as np


def modified_precision_at_k(relevant: np.ndarray, n_matches: np.ndarray, k: int = 5) -> np.ndarray:
    """[Q] precision over the first min(n_matches, k) ranks only: mMP@5 before the mean over queries.

    Two matches exist, found at ranks 1 and 5; rank 5 lies beyond the counted depth of 2:
    >>> modified_precision_at_k(np.array([[1, 0, 0, 0, 1]], dtype=bool), np.array([2]))
    array([0.5])

    With seven matches the depth is 5, and three hits among five are 0.6; a hit at rank 6 counts for nothing:
    >>> modified_precision_at_k(np.array([[1, 1, 0, 0, 1, 1]], dtype=bool), np.array([7]))
    array([0.6])

    One match is all or nothing:
    >>> modified_precision_at_k(np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool), np.array([1, 1]))
    array([1., 0.])

    Source: the metric of the challenge's host (google-research, universal_embedding_challenge) and equation 1
    of UnED (arXiv 2309.01858).
    """
    _check(relevant, n_matches, k)
    depth = np.minimum(n_matches, k)  # [Q]
    counted = np.arange(k) < depth[:, None]  # [Q, k]
    return (relevant[:, :k] & counted).sum(axis=1) / depth


def recall_at_1(relevant: np.ndarray) -> np.ndarray:
    """[Q] 1.0 where the first result matches.

    >>> recall_at_1(np.array([[1, 0], [0, 1]], dtype=bool))
    array([1., 0.])
    """
    if relevant.ndim != 2 or relevant.shape[1] < 1:
        raise ValueError(f"relevant: expected [Q, >= 1], got {relevant.shape}")
    return relevant[:, 0].astype(np.float64)


def average_precision_at_k(relevant: np.ndarray, n_matches: np.ndarray, k: int = 100) -> np.ndarray:
    """[Q] the precision at each hit of the first k ranks, summed and divided by min(n_matches, k).

    Hits at ranks 1 and 3 of three matches: (1/1 + 2/3) / 3 = 5/9. Unlike mMP@5, ranks beyond n_matches count:
    >>> average_precision_at_k(np.array([[1, 0, 1, 0]], dtype=bool), np.array([3]), k=4).round(4)
    array([0.5556])

    At k = 2 the second hit is out of sight and two places are what can be reached, (1/1) / 2:
    >>> average_precision_at_k(np.array([[1, 0, 1, 0]], dtype=bool), np.array([3]), k=2)
    array([0.5])

    Source: mAP@100 of Google Landmarks v2 (arXiv 2004.01804), as UnED uses it.
    """
    _check(relevant, n_matches, k)
    hits = relevant[:, :k].astype(np.float64)  # [Q, k]
    precisions = hits.cumsum(axis=1) / np.arange(1, k + 1)
    return (hits * precisions).sum(axis=1) / np.minimum(n_matches, k)


def first_occurrences(rows: np.ndarray) -> np.ndarray:
    """[Q, K] True where a result appears in its list for the first time; -1 (no result) never does.

    The host ignores repeats: a repeated match earns nothing and its rank is spent.
    >>> first_occurrences(np.array([[4, 7, 4, -1]])).astype(int)
    array([[1, 1, 0, 0]])

    So two copies of one match, where two matches exist, are worth one hit of two:
    >>> relevant = np.array([[True, True]]) & first_occurrences(np.array([[4, 4]]))
    >>> modified_precision_at_k(relevant, np.array([2]), k=2)
    array([0.5])
    """
    order = np.argsort(rows, axis=1, kind="stable")  # stable: of equal rows, the better rank comes first
    in_order = np.take_along_axis(rows, order, axis=1)
    is_first = np.ones(rows.shape, dtype=bool)
    is_first[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    marks = np.empty_like(is_first)
    np.put_along_axis(marks, order, is_first, axis=1)
    return marks & (rows >= 0)


def _check(relevant: np.ndarray, n_matches: np.ndarray, k: int) -> None:
    if relevant.dtype != np.bool_ or relevant.ndim != 2 or relevant.shape[1] < k:
        raise ValueError(f"relevant: expected bool [Q, >= {k}], got {relevant.dtype} {relevant.shape}")
    if n_matches.shape != relevant.shape[:1]:
        raise ValueError(f"n_matches: expected [{relevant.shape[0]}], got {n_matches.shape}")
    if n_matches.size and n_matches.min() < 1:
        raise ValueError(f"query {int(n_matches.argmin())} has no match: its precision is not defined")
