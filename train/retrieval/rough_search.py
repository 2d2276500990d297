"""The best candidates of every query by float32 inner products: blocks of the index, in fixed memory, on CPU or GPU.

On a CPU the matrix product of a block is compared with each query's worst candidate so far, by the maxima of small
groups of rows first: after a few blocks hardly anything passes, and the search costs little more than its products.
On a GPU each block's best are merged into the best so far.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

_ROWS_PER_GROUP = 16  # whose maximum is compared at once
_ROWS_PER_BLOCK = {"cpu": 4096, "cuda": 65536}  # multiples of a group; with the queries: 16 MB, 1 GB
QUERIES_PER_BLOCK = {"cpu": 1024, "cuda": 4096}
_MOST_WAITING = 2**22  # candidates held before they are merged: 64 MB

# (slice of the index rows) -> (vectors [n, D], what is subtracted from their products [n] or None)
_Block = Callable[[int, int], tuple[Tensor, Tensor | None]]


def device_type() -> str:
    """`cuda` where there is a device, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def best_candidates(
    queries: np.ndarray, index: np.ndarray, n_wanted: int, metric: str, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows int64 [q, n_wanted], best first, and their scores float32: no other row scores higher in float32.

    Args:
        queries: float32 [q, D], one block of them: the work needs q x 4096 (CPU) or q x 65536 (GPU) numbers.
        index: float32 [N, D], N at least n_wanted.
        metric: `inner_product`: scores are q.x; `euclidean`: q.x - |x|^2 / 2, which orders as distance does.
        device: `cpu` or `cuda`.
    """

    def block(start: int, n_rows: int) -> tuple[Tensor, Tensor | None]:
        rows = torch.tensor(index[start : start + n_rows], device=device)
        return rows, rows.square().sum(dim=1) / 2 if metric == "euclidean" else None

    search = _by_threshold if device == "cpu" else _by_merging
    with torch.no_grad(), _full_float32(device):
        vectors = torch.tensor(queries, device=device)
        scores, rows = search(vectors, block, len(index), n_wanted, max(n_wanted, _ROWS_PER_BLOCK[device]))
    return rows.cpu().numpy(), scores.cpu().numpy()


@contextmanager
def _full_float32(device: str) -> Iterator[None]:
    """Products with all digits of float32, whatever a training around it has allowed: the proof counts on them."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device_type=device, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _by_merging(queries: Tensor, block: _Block, n_index: int, n_wanted: int, n_rows: int) -> tuple[Tensor, Tensor]:
    """The best of each block beside the best so far."""
    scores = queries.new_empty((len(queries), 0))
    rows = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, n_index, n_rows):
        vectors, subtracted = block(start, n_rows)
        products = queries @ vectors.T  # [q, n]
        if subtracted is not None:
            products -= subtracted
        found, columns = products.topk(min(n_wanted, len(vectors)), dim=1)
        scores, rows = torch.cat([scores, found], dim=1), torch.cat([rows, columns + start], dim=1)
        scores, places = scores.topk(min(n_wanted, scores.shape[1]), dim=1)
        rows = rows.gather(1, places)
    return scores, rows


def _by_threshold(queries: Tensor, block: _Block, n_index: int, n_wanted: int, n_rows: int) -> tuple[Tensor, Tensor]:
    """The best of the first block; then only what beats a query's worst candidate so far."""
    transposed = queries.T.contiguous()
    products = queries.new_empty((n_rows, len(queries)))  # rows of the index first: their maxima are contiguous
    scores, rows, waiting, n_waiting, next_merge = None, None, [], 0, 2 * n_rows
    for start in range(0, n_index, n_rows):
        vectors, subtracted = block(start, n_rows)
        now = torch.mm(vectors, transposed, out=products[: len(vectors)])
        if subtracted is not None:
            now -= subtracted[:, None]
        if scores is None:
            scores, rows = now.T.topk(n_wanted, dim=1)
            continue
        found = _above(now, scores[:, -1], start)
        waiting.append(found)
        n_waiting += len(found[0])
        # As often as the index seen doubles about as many new candidates wait as there are already.
        if start + n_rows >= next_merge or n_waiting > _MOST_WAITING or start + n_rows >= n_index:
            scores, rows = _merged(scores, rows, waiting)
            waiting, n_waiting, next_merge = [], 0, 2 * (start + n_rows)
    return scores, rows


def _above(products: Tensor, worst: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
    """Products [n, q] above each query's `worst` [q] -> queries, rows and scores of those, each [h]."""
    n_whole = len(products) // _ROWS_PER_GROUP * _ROWS_PER_GROUP
    groups = products[:n_whole].unflatten(0, (-1, _ROWS_PER_GROUP))  # [g, 16, q]
    group, query = (groups.amax(dim=1) > worst).nonzero(as_tuple=True)
    values = groups[group, :, query]  # [h, 16]
    hit, place = (values > worst[query, None]).nonzero(as_tuple=True)
    found = query[hit], group[hit] * _ROWS_PER_GROUP + place + start, values[hit, place]
    if n_whole == len(products):
        return found
    row, query = (products[n_whole:] > worst).nonzero(as_tuple=True)
    rest = query, row + n_whole + start, products[n_whole:][row, query]
    return tuple(torch.cat(pair) for pair in zip(found, rest))


def _merged(scores: Tensor, rows: Tensor, waiting: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The best so far [q, w] and what waits -> the best [q, w]."""
    n_queries, n_wanted = scores.shape
    query = torch.cat([torch.arange(n_queries).repeat_interleave(n_wanted), *(found[0] for found in waiting)])
    all_rows = torch.cat([rows.flatten(), *(found[1] for found in waiting)])
    all_scores = torch.cat([scores.flatten(), *(found[2] for found in waiting)])
    order = torch.from_numpy(np.lexsort((-all_scores.numpy(), query.numpy())))
    n_before = torch.bincount(query, minlength=n_queries).cumsum(0) - torch.bincount(query, minlength=n_queries)
    kept = order[n_before[:, None] + torch.arange(n_wanted)]
    return all_scores[kept], all_rows[kept]
