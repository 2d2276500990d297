"""The embeddings on a plane: their two main directions, a dot an image."""

from dataclasses import dataclass

import numpy as np

from submission.evaluation_set import EvaluationSet
from submission.report.gallery import class_name
from train.retrieval.projection import fit_pca

WIDTH, HEIGHT = 1000, 640  # units of the drawing
_MARGIN = 14
_MAX_POINTS = 6000
_MAX_FITTED = 50_000  # images that the directions are computed from


@dataclass(frozen=True)
class EmbeddingMap:
    """`dots`: domain -> SVG path of zero-length strokes; `points`: what the script needs to say what lies where.

    `variance_share`: of all spread, what the two directions hold. `n_points` drawn of `n_images`.
    """

    dots: dict[str, str]
    points: dict[str, list]
    variance_share: float
    n_points: int
    n_images: int


def draw_map(embeddings: np.ndarray, evaluation: EvaluationSet) -> EmbeddingMap:
    """Project to the first two principal components and lay out at most 6000 dots, as many a domain where it has them.

    PCA and not a neighbour embedding: it is the same every time, distances mean what they mean in the embedding, and
    clusters are not made up; the price is overlap, which `variance_share` says.

    Raises:
        ValueError: the embeddings span fewer than two directions.
    """
    fitted = embeddings[_evenly(len(embeddings), _MAX_FITTED)].astype(np.float64)
    matrix, bias = fit_pca(fitted, 2, whiten=False).linear_layer()
    spread = (fitted @ matrix.T).var(axis=0).sum() / fitted.var(axis=0).sum()
    rows = _choose_rows(np.asarray(evaluation.items.domains))
    places = _fit_to_page(embeddings[rows].astype(np.float64) @ matrix.T + bias)
    domains = np.asarray(evaluation.items.domains)[rows]
    names, codes = np.unique([class_name(evaluation, row) for row in rows.tolist()], return_inverse=True)
    known = list(dict.fromkeys(sorted(evaluation.items.domains)))
    dots = {
        domain: "".join(f"M{x} {y}h0" for x, y in places[domains == domain].tolist()) for domain in known
    }
    points = {
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "domain": [known.index(domain) for domain in domains.tolist()],
        "class": codes.tolist(),
        "classes": names.tolist(),
    }
    return EmbeddingMap(dots, points, float(spread), len(rows), len(embeddings))


def _choose_rows(domains: np.ndarray) -> np.ndarray:
    """Rows to draw: all where they fit, else evenly spaced ones of each domain, so that no domain fills the page."""
    if len(domains) <= _MAX_POINTS:
        return np.arange(len(domains))
    names = np.unique(domains)
    chosen = [np.flatnonzero(domains == name) for name in names]
    return np.sort(np.concatenate([rows[_evenly(len(rows), _MAX_POINTS // len(names))] for rows in chosen]))


def _evenly(n: int, n_wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, n_wanted)).astype(int))


def _fit_to_page(places: np.ndarray) -> np.ndarray:
    """[P, 2] -> whole numbers inside the page, both directions on one scale, the second pointing up."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH, HEIGHT]) - 2 * _MARGIN
    scale = (room / np.maximum(high - low, 1e-12)).min()
    centred = (places - (low + high) / 2) * scale * [1, -1]
    return np.rint(centred + np.array([WIDTH, HEIGHT]) / 2).astype(int)
