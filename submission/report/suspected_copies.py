"""Pictures that look like one picture: of different classes, labels to doubt and points that no model can win; of one
class, points that any model gets."""

from dataclasses import dataclass

import numpy as np

from data_prep.hamming import N_BITS
from data_prep.perceptual_hash import HASHED_PX, perceptual_hash
from submission.evaluation_set import EvaluationSet
from submission.report.thumbnails import apply_to_files, open_small
from train.retrieval import knn
from train.retrieval.projection import unit_rows
from train.retrieval.protocol import RetrievalScore

MIN_COSINE = 0.98
MAX_BITS = 4  # of the perceptual hashes
_MIN_COSINE_HASHED = 0.8  # pairs further apart are no copies for any model worth looking at
_MAX_HASHED = 400  # pairs
_MAX_SHOWN = 48  # pairs
_N_NEAREST = 10
_MAX_COMPARED = 5 * 10**8  # rows searched times rows of the index: seconds


@dataclass(frozen=True)
class SuspectedPair:
    """Two item rows; `cosine` of their embeddings, `bits` in which their hashes differ."""

    row_a: int
    row_b: int
    cosine: float
    bits: int | None

    @property
    def has_near_hash(self) -> bool:
        return self.bits is not None and self.bits <= MAX_BITS

    @property
    def is_suspected(self) -> bool:
        return self.has_near_hash or self.cosine >= MIN_COSINE


@dataclass(frozen=True)
class SuspectedCopies:
    """`pairs` of different classes to show, likeliest first, of `n_suspected`; `twins`, of one class, of `n_twins`;
    `n_searched` of `n_index` index images were looked at."""

    pairs: list[SuspectedPair]
    n_suspected: int
    twins: list[SuspectedPair]
    n_twins: int
    n_searched: int
    n_index: int
    n_hashed: int


def find_suspected_copies(
    embeddings: np.ndarray, evaluation: EvaluationSet, score: RetrievalScore
) -> SuspectedCopies:
    """Pairs of index images, or of a query and its neighbour, that are nearly one picture.

    Of different classes, either measure is enough. Pictures of one class should lie together: only those are twins
    whose embeddings and hashes are both as near as `MIN_COSINE` and `MAX_BITS` say.

    Looked at are the ten nearest of the index images (of evenly spaced ones, where the index is large) and the shown
    neighbours of all queries. The closest of them are hashed, too, so that a model that tells copies apart is no
    reason to miss them.

    Args:
        embeddings: float32 [M, D] of all items.
        evaluation: the items.
        score: of the same embeddings.
    """
    vectors = unit_rows(embeddings.astype(np.float32))
    roles = np.asarray(evaluation.items.roles)
    index_rows = np.flatnonzero(roles != "query")
    n_searched = min(len(index_rows), max(1, _MAX_COMPARED // len(index_rows)))
    searched = np.unique(np.linspace(0, len(index_rows) - 1, n_searched).astype(int))  # positions in index_rows
    found = knn.search(vectors[index_rows[searched]], vectors[index_rows], _N_NEAREST, exclude_rows=searched)
    near = [
        _as_pairs(index_rows[searched], np.where(found >= 0, index_rows[found], -1)),
        _as_pairs(score.query_rows, score.neighbours),
    ]
    pairs, cosines, is_one_class = _near_pairs(np.concatenate(near), vectors, evaluation)
    twins = is_one_class & (cosines >= MIN_COSINE)
    strange = _judged(pairs[~is_one_class], cosines[~is_one_class], evaluation)
    alike = _judged(pairs[twins], cosines[twins], evaluation)
    suspected = sorted((pair for pair in strange if pair.is_suspected), key=_likeliest_first)
    same = sorted((pair for pair in alike if pair.has_near_hash), key=_likeliest_first)
    n_hashed = min(len(strange), _MAX_HASHED) + min(len(alike), _MAX_HASHED)
    return SuspectedCopies(suspected[:_MAX_SHOWN], len(suspected), same[:_MAX_SHOWN], len(same), len(searched),
                           len(index_rows), n_hashed)


def _judged(pairs: np.ndarray, cosines: np.ndarray, evaluation: EvaluationSet) -> list[SuspectedPair]:
    """Pairs [P, 2], closest first; the files of the first are opened for their hashes."""
    hashes = apply_to_files(_hash, evaluation, np.unique(pairs[:_MAX_HASHED]).tolist())
    return [
        SuspectedPair(a, b, cosine, _bits_apart(hashes.get(a), hashes.get(b)))
        for (a, b), cosine in zip(pairs.tolist(), cosines.tolist(), strict=True)
    ]


def _likeliest_first(pair: SuspectedPair) -> tuple[float, float]:
    return (pair.bits if pair.has_near_hash else N_BITS, -pair.cosine)


def _as_pairs(rows: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Rows [S] and their neighbours [S, K], -1 for none -> pairs [P, 2], the smaller row first."""
    pairs = np.stack([np.repeat(rows, neighbours.shape[1]), neighbours.ravel()], axis=1)
    return np.sort(pairs[pairs[:, 1] >= 0], axis=1)


def _near_pairs(
    pairs: np.ndarray, vectors: np.ndarray, evaluation: EvaluationSet
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each near pair once, closest first: rows [P, 2], cosines [P], whether they share a label in one domain [P]."""
    pairs = np.unique(pairs, axis=0)
    cosines = np.einsum("pd,pd->p", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    pairs, cosines = pairs[cosines >= _MIN_COSINE_HASHED], cosines[cosines >= _MIN_COSINE_HASHED]
    items = evaluation.items
    is_one_class = np.array([
        items.domains[a] == items.domains[b] and bool(set(items.class_keys[a]) & set(items.class_keys[b]))
        for a, b in pairs.tolist()
    ], dtype=bool)  # fmt: skip
    order = np.argsort(-cosines, kind="stable")
    return pairs[order], cosines[order], is_one_class[order]


def _hash(encoded: bytes) -> int | None:
    return perceptual_hash(np.asarray(open_small(encoded, HASHED_PX)))


def _bits_apart(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else (first ^ second).bit_count()
