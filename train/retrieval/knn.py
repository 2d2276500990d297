"""Exact nearest neighbours with a fixed order of ties, on the GPU where there is one.

`rough_search` finds candidates in float32; which of several equal rows it returns, and in which order, depends on
blocks and threads. So a few more than k are fetched and scored again in float64, in a way that gives equal
rows equal scores wherever they lie, and ordered by (score, row). Where the fetched margin cannot prove that
no other row belongs to the best k, the query is searched again in plain numpy.
"""

import numpy as np

METRICS = ("inner_product", "euclidean")
_MARGIN = 32  # candidates beyond k: few queries need the slow search, and scoring them again stays cheap
_BLOCK_ELEMENTS = 2**24  # float64 numbers held at once while scoring again: 128 MB


def search(
    queries: np.ndarray,
    index: np.ndarray,
    k: int,
    metric: str = "inner_product",
    exclude_rows: np.ndarray | None = None,
) -> np.ndarray:
    """The k best index rows of every query, best first; equal scores by lowest row.

    Scores are those of the float32 vectors as given (nothing is normalised), computed in float64. Work is
    done in blocks of queries and of index rows, so that memory is the two inputs and some 100 MB: 242k queries
    against 1.4M rows fit. The candidates are found on a GPU where torch sees one; the result is the same.

    Args:
        queries: float32 [Q, D].
        index: float32 [N, D].
        k: results a query.
        metric: `inner_product` (highest first) or `euclidean` (nearest first).
        exclude_rows: int [Q], the index row that is the query itself and must not be found; -1 for none.

    Returns:
        int64 [Q, k] index rows; -1 where fewer than k rows exist.

    Raises:
        ValueError: shapes that do not fit, a metric nobody knows, values that are not finite.
    """
    queries, index = _as_vectors(queries, "queries"), _as_vectors(index, "index")
    if metric not in METRICS:
        raise ValueError(f"no metric {metric!r}; known: {', '.join(METRICS)}")
    if queries.shape[1] != index.shape[1] or k < 1:
        raise ValueError(
            f"expected k >= 1 and equal dimensions, got k={k}, {queries.shape} and {index.shape}"
        )
    if exclude_rows is None:
        exclude_rows = np.full(len(queries), -1)
    if exclude_rows.shape != (len(queries),):
        raise ValueError(f"exclude_rows: expected [{len(queries)}], got {exclude_rows.shape}")
    found = np.full((len(queries), k), -1, dtype=np.int64)
    n_fetched = min(len(index), k + 1 + _MARGIN)
    if n_fetched == 0:
        return found
    largest_norm = float(np.sqrt(np.einsum("nd,nd->n", index, index).max()))
    from train.retrieval import rough_search  # loads torch

    n_together = rough_search.QUERIES_PER_BLOCK[rough_search.device_type()]
    block = max(1, min(n_together, _BLOCK_ELEMENTS // (n_fetched * index.shape[1])))
    for start in range(0, len(queries), block):
        part = slice(start, start + block)
        found[part] = _search_block(queries[part], index, k, metric, exclude_rows[part], largest_norm)
    return found


def _search_block(
    queries: np.ndarray, index: np.ndarray, k: int, metric: str, exclude_rows: np.ndarray, largest_norm: float
) -> np.ndarray:
    """[q, D] -> [q, k] rows: candidates in exact order; the slow search where they may not suffice."""
    from train.retrieval import rough_search

    n_fetched = min(len(index), k + 1 + _MARGIN)
    rows, rough = rough_search.best_candidates(queries, index, n_fetched, metric, rough_search.device_type())
    # As far as float32 can tell, no row that was not fetched scores above this.
    cutoff = rough[:, -1].astype(np.float64)
    if metric == "euclidean":
        cutoff = 2.0 * cutoff - np.square(queries, dtype=np.float64).sum(axis=1)  # q.x - |x|^2 / 2 -> -|q - x|^2
    scores = _exact_scores(queries, index[rows], metric)
    rows, scores = _best(rows, scores, k, exclude_rows)
    if n_fetched < len(index):
        error = _float32_error(queries, largest_norm, metric)
        for unproven in np.flatnonzero(scores[:, -1] <= cutoff + error):
            rows[unproven] = _search_all(queries[unproven], index, k, metric, exclude_rows[unproven])
    return rows


def _search_all(query: np.ndarray, index: np.ndarray, k: int, metric: str, exclude_row: int) -> np.ndarray:
    """One query [D] against every row in float64, block after block -> [k] rows."""
    block = max(1, _BLOCK_ELEMENTS // index.shape[1])
    best_rows, best_scores = np.empty((1, 0), dtype=np.int64), np.empty((1, 0))
    for start in range(0, len(index), block):
        vectors = index[start : start + block]
        rows = np.arange(start, start + len(vectors))[None]
        scores = _exact_scores(query[None], vectors[None], metric)
        best_rows, best_scores = _best(
            np.hstack([best_rows, rows]), np.hstack([best_scores, scores]), k, np.array([exclude_row])
        )
    return best_rows[0]


def _exact_scores(queries: np.ndarray, vectors: np.ndarray, metric: str) -> np.ndarray:
    """[q, D] and candidates [q, n, D] -> float64 scores [q, n], higher is better.

    einsum without BLAS: each score is one sum over D in the same order, so equal rows get equal scores.
    """
    queries, vectors = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "inner_product":
        return np.einsum("qd,qnd->qn", queries, vectors, optimize=False)
    vectors -= queries[:, None]
    return -np.einsum("qnd,qnd->qn", vectors, vectors, optimize=False)


def _best(
    rows: np.ndarray, scores: np.ndarray, k: int, exclude_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[q, n] rows and scores -> the k best [q, k] by (score down, row up); none: row -1, score -inf."""
    excluded = rows == exclude_rows[:, None]
    rows, scores = np.where(excluded, -1, rows), np.where(excluded | (rows < 0), -np.inf, scores)
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    rows, scores = np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
    missing = ((0, 0), (0, k - order.shape[1]))
    return np.pad(rows, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf)


def _float32_error(queries: np.ndarray, largest_norm: float, metric: str) -> np.ndarray:
    """[q] how far a float32 score may lie from the exact one (Higham, Accuracy and Stability, section 3.1).

    A sum of D products is off by at most D * u * |q| * |x|; the squared distance is |q|^2 + |x|^2 - 2 q.x,
    three such sums. The factor 2 covers what the bound leaves out at second order.
    """
    unit = np.finfo(np.float32).eps / 2
    norms = np.linalg.norm(queries.astype(np.float64), axis=1)
    size = norms * largest_norm if metric == "inner_product" else (norms + largest_norm) ** 2
    return 2 * (queries.shape[1] + 4) * unit * size


def _as_vectors(vectors: np.ndarray, name: str) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"{name}: expected [rows, D], got {vectors.shape}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name}: row {int(finite.argmin())} is not finite ({int((~finite).sum())} such rows)"
        )
    return vectors
