"""Fixed linear maps from wide features to short embeddings: PCA, PCA-whitening, random projection."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Projection:
    """x -> unit length of matrix (x - mean). `mean` float64 [W], `matrix` float64 [out_dim, W]."""

    mean: np.ndarray
    matrix: np.ndarray

    def project(self, features: np.ndarray) -> np.ndarray:
        """[N, W] -> unit vectors float32 [N, out_dim]."""
        projected = (features.astype(np.float64) - self.mean) @ self.matrix.T
        return unit_rows(projected).astype(np.float32)

    def linear_layer(self) -> tuple[np.ndarray, np.ndarray]:
        """(weight [out_dim, W], bias [out_dim]): the linear layer that does the same before unit length."""
        return self.matrix, -self.matrix @ self.mean


def fit_pca(features: np.ndarray, out_dim: int, whiten: bool) -> Projection:
    """The first `out_dim` principal axes of [N, W] features; `whiten` divides each by its deviation.

    As UnED's baseline: covariance with divisor N, made symmetric, axes by falling eigenvalue. The sign of an
    axis, which PCA leaves open, is chosen so that its largest entry is positive. UnED feeds features of unit
    length.

    Raises:
        ValueError: fewer independent directions in the features than `out_dim`.
    """
    features = np.asarray(features, dtype=np.float64)
    mean = features.mean(axis=0)
    centred = features - mean
    covariance = centred.T @ centred / len(features)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    rank = int((values > values[-1] * 1e-10).sum()) if values[-1] > 0 else 0
    if rank < out_dim:
        raise ValueError(
            f"PCA to {out_dim} dimensions: {len(features)} features [{features.shape[1]}] span only {rank}"
        )
    values, axes = values[::-1][:out_dim], vectors.T[::-1][:out_dim]
    largest = axes[np.arange(out_dim), np.abs(axes).argmax(axis=1)]
    axes = axes * np.sign(largest)[:, None]
    return Projection(mean, axes / np.sqrt(values)[:, None] if whiten else axes)


def fit_partly_whitened(features: np.ndarray, out_dim: int, whitening: float) -> Projection:
    """PCA whose axis a is divided by its deviation, relative to the first axis', to the power `whitening`.

    0 is plain PCA; 1 whitens, up to one factor for all axes, which unit length removes. Raises as `fit_pca`.
    """
    plain = fit_pca(features, out_dim, whiten=False)
    deviations = ((np.asarray(features, dtype=np.float64) - plain.mean) @ plain.matrix.T).std(axis=0)
    return Projection(plain.mean, plain.matrix / (deviations / deviations[0])[:, None] ** whitening)


def random_projection(width: int, out_dim: int, rng: np.random.Generator) -> Projection:
    """Independent Gaussian entries of variance 1 / out_dim: inner products are kept on average."""
    return Projection(np.zeros(width), rng.standard_normal((out_dim, width)) / np.sqrt(out_dim))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length; a row of zeros stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
