"""Which images match: labels as numbers, matches of a query, the query's own place in the index."""

from collections.abc import Sequence

import numpy as np

from data_prep.errors import ConfigError
from train.retrieval.metrics import first_occurrences

_NO_LABEL = -1
_QUERIES_PER_BLOCK = 8192


def encode_labels(domains: Sequence[str], class_keys: Sequence[tuple[str, ...]]) -> np.ndarray:
    """int64 [M, L]: each (domain, class key) as a number, padded with -1 to the longest list of labels.

    >>> encode_labels(["cars", "cars", "toys"], [("a",), ("b", "a"), ("a",)])
    array([[ 0, -1],
           [ 1,  0],
           [ 2, -1]])
    """
    code_by_label: dict[tuple[str, str], int] = {}
    longest = max((len(keys) for keys in class_keys), default=0)
    labels = np.full((len(class_keys), longest), _NO_LABEL, dtype=np.int64)
    for row, (domain, keys) in enumerate(zip(domains, class_keys, strict=True)):
        for position, key in enumerate(dict.fromkeys(keys)):
            labels[row, position] = code_by_label.setdefault((domain, key), len(code_by_label))
    return labels


def find_own_rows(ids: Sequence[str], query_rows: np.ndarray, index_rows: np.ndarray) -> np.ndarray:
    """[Q] the index item with the query's id, as item row; -1 where the index does not hold it.

    Raises:
        ConfigError: an id stands twice in the index, so "itself" would be two images.
    """
    row_by_id: dict[str, int] = {}
    for row in index_rows.tolist():
        if row_by_id.setdefault(ids[row], row) != row:
            raise ConfigError(
                f"evaluation: {ids[row]!r} is twice in the index: rows {row_by_id[ids[row]]} and {row}"
            )
    return np.array([row_by_id.get(ids[row], -1) for row in query_rows.tolist()], dtype=np.int64)


def mark_relevant(labels: np.ndarray, query_rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    """bool [Q, K]: found item rows that share a label with their query, repeats not counted.

    Labels hold the domain, so an equal class key of another domain does not match.
    """
    relevant = np.zeros(found.shape, dtype=bool)
    for start in range(0, len(query_rows), _QUERIES_PER_BLOCK):
        part = slice(start, start + _QUERIES_PER_BLOCK)
        wanted = labels[query_rows[part]]  # [q, L]
        for position in range(labels.shape[1]):
            got = labels[found[part], position]  # [q, K]
            shared = (got[:, :, None] == wanted[:, None]).any(axis=2)
            relevant[part] |= shared & (got != _NO_LABEL)
    return relevant & first_occurrences(found)


def count_matches(
    labels: np.ndarray, query_rows: np.ndarray, index_rows: np.ndarray, own_rows: np.ndarray
) -> np.ndarray:
    """int64 [Q]: index items that share a label with the query, the query's own item not counted."""
    held, positions = np.nonzero(labels[index_rows] != _NO_LABEL)
    codes = labels[index_rows[held], positions]
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], index_rows[held[order]]
    starts, ends = (
        np.searchsorted(codes, labels[query_rows]),
        np.searchsorted(codes, labels[query_rows], side="right"),
    )
    counts = np.empty(len(query_rows), dtype=np.int64)
    for query, own_row in enumerate(own_rows.tolist()):
        ranges = list(zip(starts[query].tolist(), ends[query].tolist(), strict=True))
        if len(ranges) == 1:
            matches = rows[ranges[0][0] : ranges[0][1]]
        else:
            matches = np.unique(np.concatenate([rows[start:end] for start, end in ranges]))
        counts[query] = len(matches) - int(own_row >= 0 and bool((matches == own_row).any()))
    return counts
