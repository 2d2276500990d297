"""How well pictures fit the name of their own class, and which name fits best."""

import numpy as np
from numpy.typing import NDArray

_CELLS_AT_ONCE = 16_000_000  # of the cosine table: 64 MB


def score_classes(
    images: NDArray[np.float32], names: NDArray[np.float32], own_rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Cosine with the own class, row of the best class, cosine with that.

    Args:
        images: [N, D] unit embeddings; a memory map is read in pieces.
        names: [C, D] unit embeddings.
        own_rows: [N] row of each picture's class in `names`.

    Returns:
        [N], [N], [N]. Where two names fit equally well, the first of them is the best.
    """
    own, best = np.empty(len(images), np.float32), np.empty(len(images), np.float32)
    best_rows = np.empty(len(images), np.int64)
    at_once = max(1, _CELLS_AT_ONCE // len(names))
    for start in range(0, len(images), at_once):
        piece = slice(start, start + at_once)
        cosines = np.asarray(images[piece]) @ names.T  # [n, C]
        rows = np.arange(len(cosines))
        best_rows[piece] = cosines.argmax(axis=1)
        own[piece] = cosines[rows, own_rows[piece]]
        best[piece] = cosines[rows, best_rows[piece]]
    return own, best_rows, best
