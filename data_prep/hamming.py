"""All pairs of 64-bit hashes that differ in a few bits: exact, and fast enough for millions.

By the pigeonhole principle, as in Manku, Jain and Das Sarma, "Detecting Near-Duplicates for Web Crawling" (2007): cut
the 64 bits into m blocks; two hashes at most r bits apart agree in m - r blocks or more. So for every choice of m - r
blocks the hashes are sorted with these in front, and only neighbours that agree in front are compared. faiss' binary
indexes, set up to be exact in the same way, take several times as long (`benchmarks/catalogue.py` has both).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import numpy as np

N_BITS = 64
MAX_BITS = 10  # further apart, unrelated pictures are "near" by chance, and the search takes an hour
MAX_PAIRS = 20_000_000  # 500 MB; more is no search for copies
_ROWS_AT_ONCE = 1 << 14  # compared in one go: fits a core's cache
# For choosing m: a sort costs about so many comparisons a row, and real hashes spread like this share of their bits.
_COMPARISONS_PER_SORTED_ROW = 60
_SPREAD = 0.85


def near_pairs(hashes: np.ndarray, max_bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of hashes that differ in at most `max_bits` bits.

    Memory is about five times that of the hashes, and some 50 bytes a pair.

    Args:
        hashes: uint64 [N], all different: equal ones are the caller's to group, so that one hash which thousands
            of pictures share does not make millions of pairs.
        max_bits: 0 to MAX_BITS.

    Returns:
        (row_a int64 [P], row_b int64 [P], distance uint8 [P] in bits), row_a < row_b, sorted by row_a, then row_b.

    Raises:
        ValueError: not uint64 [N], a hash that occurs twice, max_bits out of range, or more than MAX_PAIRS pairs.
    """
    if hashes.dtype != np.uint64 or hashes.ndim != 1:
        raise ValueError(f"got {hashes.dtype} {list(hashes.shape)}, expected uint64 [N]")
    if not 0 <= max_bits <= MAX_BITS:
        raise ValueError(f"max_bits: got {max_bits}, expected 0 to {MAX_BITS}")
    order = np.argsort(hashes)
    ordered = hashes[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("a hash occurs more than once; group equal hashes first")
    n_blocks = _best_n_blocks(len(hashes), max_bits)
    found, n_found = [np.empty((0, 2), dtype=np.uint64)], 0
    for front in combinations(range(n_blocks), n_blocks - max_bits):
        for pairs in _pairs_that_agree(ordered, front, n_blocks):
            found.append(pairs)
            n_found += len(pairs)
            if n_found > MAX_PAIRS:
                raise ValueError(f"more than {MAX_PAIRS:,} pairs within {max_bits} bits: take fewer bits")
    pairs = np.concatenate(found)
    rows = np.sort(order[np.searchsorted(ordered, pairs)], axis=1)
    sequence = np.lexsort((rows[:, 1], rows[:, 0]))
    distance = np.bitwise_count(pairs[:, 0] ^ pairs[:, 1])
    return rows[sequence, 0], rows[sequence, 1], distance[sequence]


def _pairs_that_agree(hashes: np.ndarray, front: Sequence[int], n_blocks: int) -> Iterator[np.ndarray]:
    """uint64 [P,2] near pairs that agree in the blocks `front`, and in no block before the last of these besides.

    So each pair comes up for one choice of blocks only: the first blocks that it has in common.
    """
    edges = [N_BITS * n // n_blocks for n in range(n_blocks + 1)]
    blocks = [*front, *(n for n in range(n_blocks) if n not in front)]
    places = [(edges[n], edges[n + 1] - edges[n]) for n in blocks]
    moved = _move(hashes, places)
    moved.sort()
    n_front_bits = sum(width for _, width in places[: len(front)])
    largest = np.uint64((1 << (N_BITS - n_front_bits)) - 1)  # of the differences that leave the front alone
    passed_over = [n for n in range(max(front)) if n not in front]
    for start in range(0, len(moved) - 1, _ROWS_AT_ONCE):
        rows = moved[start : start + _ROWS_AT_ONCE]
        for shift in range(1, len(moved) - start):
            others = moved[start + shift : start + shift + len(rows)]
            different = rows[: len(others)] ^ others
            if different.min() > largest:
                break
            near = np.flatnonzero(np.bitwise_count(different) <= n_blocks - len(front))
            near = near[different[near] <= largest]
            pairs = _move(np.stack([rows[near], others[near]], axis=1), places, back=True)
            difference = pairs[:, 0] ^ pairs[:, 1]
            is_first = np.ones(len(pairs), dtype=bool)
            for n in passed_over:
                is_first &= _block(difference, edges[n], edges[n + 1] - edges[n]) != 0
            if is_first.any():
                yield pairs[is_first]


def _move(hashes: np.ndarray, places: Sequence[tuple[int, int]], back: bool = False) -> np.ndarray:
    """The blocks at `places` (first bit counted from the highest, width) put one after the other; or back again."""
    moved = np.zeros_like(hashes)
    first_bit = 0
    for place, width in places:
        source, target = (first_bit, place) if back else (place, first_bit)
        moved |= _block(hashes, source, width) << np.uint64(N_BITS - target - width)
        first_bit += width
    return moved


def _block(hashes: np.ndarray, first_bit: int, width: int) -> np.ndarray:
    return (hashes >> np.uint64(N_BITS - first_bit - width)) & np.uint64((1 << width) - 1)


def _best_n_blocks(n_hashes: int, max_bits: int) -> int:
    """The number of blocks with the least expected work: few make long stretches to compare, many make many sorts."""

    def cost(n_blocks: int) -> float:
        n_front_bits = N_BITS * (n_blocks - max_bits) / n_blocks * _SPREAD
        comparisons = n_hashes / 2 ** (n_front_bits + 1)
        return comb(n_blocks, max_bits) * (_COMPARISONS_PER_SORTED_ROW + comparisons)

    return min(range(max_bits + 1, N_BITS + 1), key=cost)
