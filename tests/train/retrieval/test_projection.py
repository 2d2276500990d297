"""PCA against scikit-free definitions: variances, orthogonality, the folded linear layer."""

import numpy as np
import pytest

from train.retrieval.projection import Projection, fit_pca, random_projection, unit_rows


def correlated_features(n_features=400, width=6):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_features, width)) @ rng.standard_normal(
        (width, width)
    ) + rng.standard_normal(width)


def test_pca_of_a_hand_made_cross():
    # Variance 8/4 along x, 2/4 along y, mean (10, 20); divisor n = 4.
    features = np.array([[12, 20], [8, 20], [10, 21], [10, 19]], dtype=float)
    pca = fit_pca(features, out_dim=2, whiten=False)
    assert pca.mean.tolist() == [10, 20]
    assert pca.matrix == pytest.approx(np.eye(2))
    whitened = fit_pca(features, out_dim=2, whiten=True)
    assert whitened.matrix == pytest.approx(np.diag([2**-0.5, 0.5**-0.5]))
    assert whitened.project(np.array([[11.0, 20.5]])) == pytest.approx(
        unit_rows(np.array([[2**-0.5, 0.5**0.5]]))
    )


def test_axes_are_orthonormal_and_ordered_by_variance():
    features = correlated_features()
    pca = fit_pca(features, out_dim=4, whiten=False)
    assert pca.matrix @ pca.matrix.T == pytest.approx(np.eye(4))
    variances = ((features - pca.mean) @ pca.matrix.T).var(axis=0)
    assert (np.diff(variances) < 0).all()
    assert variances == pytest.approx(np.sort(np.linalg.eigvalsh(np.cov(features.T, bias=True)))[::-1][:4])


def test_whitened_features_are_uncorrelated_with_variance_one():
    features = correlated_features()
    pca = fit_pca(features, out_dim=6, whiten=True)
    projected = (features - pca.mean) @ pca.matrix.T
    assert projected.T @ projected / len(features) == pytest.approx(np.eye(6))


def test_the_sign_of_an_axis_is_fixed():
    features = correlated_features()
    forwards, backwards = fit_pca(features, 3, True), fit_pca(-features, 3, True)
    assert forwards.matrix == pytest.approx(backwards.matrix)
    assert (forwards.matrix[np.arange(3), np.abs(forwards.matrix).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize(
    "projection", [fit_pca(correlated_features(), 3, True), random_projection(6, 3, np.random.default_rng(1))]
)
def test_projecting_equals_the_linear_layer_and_gives_unit_rows(projection):
    features = correlated_features(20)
    weight, bias = projection.linear_layer()
    projected = projection.project(features)
    assert projected == pytest.approx(unit_rows(features @ weight.T + bias), abs=1e-6)
    assert projected.dtype == np.float32 and projected.shape == (20, 3)
    assert np.linalg.norm(projected, axis=1) == pytest.approx(np.ones(20))


def test_random_projection_keeps_inner_products_on_average_and_follows_its_generator():
    matrix = random_projection(50, 2000, np.random.default_rng(2)).matrix
    assert matrix.shape == (2000, 50)
    assert matrix.T @ matrix == pytest.approx(np.eye(50), abs=0.15)
    assert (matrix == random_projection(50, 2000, np.random.default_rng(2)).matrix).all()


def test_too_few_directions_are_an_error():
    with pytest.raises(ValueError, match=r"PCA to 4 dimensions: 4 features \[6\] span only 3"):
        fit_pca(correlated_features(4), 4, True)
    with pytest.raises(ValueError, match="span only 0"):
        fit_pca(np.ones((10, 3)), 1, True)


def test_a_zero_row_stays_zero():
    assert Projection(np.zeros(2), np.eye(2)).project(np.array([[0.0, 0.0], [3.0, 4.0]])) == pytest.approx(
        np.array([[0, 0], [0.6, 0.8]])
    )
