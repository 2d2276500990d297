import numpy as np
import pytest
import torch

from train.losses.similarity_distillation import similarity_distillation_loss
from train.retrieval.projection import fit_pca, unit_rows
from train.retrieval.similarity_projection import fit_similarity_projection, wide_similarities


def loss_of(projection, vectors, teacher):
    return similarity_distillation_loss(
        torch.from_numpy(projection.project(vectors)), torch.from_numpy(teacher), 0.1, "kl").item()


def test_similarities_are_the_weighted_sum_of_both_cosines():
    rng = np.random.default_rng(0)
    outputs, features = rng.standard_normal((6, 3)), rng.standard_normal((6, 5)) + 4.0
    rows = wide_similarities(outputs, features, 0.25)
    of_outputs, of_features = unit_rows(outputs), unit_rows(features - features.mean(axis=0))
    assert rows.shape == (6, 8) and rows.dtype == np.float32
    assert np.allclose(rows @ rows.T, 0.75 * of_outputs @ of_outputs.T + 0.25 * of_features @ of_features.T, atol=1e-6)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)


def test_what_varies_little_but_decides_who_is_near_is_kept():
    """Three loud numbers that the teacher does not hear, two soft ones that it does: PCA keeps two of the loud."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 5)) * [3.0, 3.0, 3.0, 1.0, 1.0]
    teacher = unit_rows(vectors[:, 3:]).astype(np.float32)
    pca = fit_pca(vectors, 2, whiten=False)
    fitted = fit_similarity_projection(vectors, teacher, pca, 0.1, seed=0)
    assert np.abs(pca.matrix[:, :3]).max() > 0.9 > 0.1 > np.abs(pca.matrix[:, 3:]).max()
    assert loss_of(fitted, vectors, teacher) < 0.1 * loss_of(pca, vectors, teacher)
    assert fitted.matrix.shape == (2, 5) and np.array_equal(fitted.mean, pca.mean)


def test_a_start_that_keeps_all_similarities_stays():
    vectors = np.random.default_rng(0).standard_normal((60, 4))
    start = fit_pca(vectors, 4, whiten=False)
    teacher = unit_rows(vectors - vectors.mean(axis=0)).astype(np.float32)
    fitted = fit_similarity_projection(vectors, teacher, start, 0.1, seed=0)
    assert np.allclose(fitted.project(vectors) @ fitted.project(vectors).T, teacher @ teacher.T, atol=1e-3)


def test_the_same_seed_gives_the_same_map_at_any_scale_of_the_vectors():
    rng = np.random.default_rng(0)
    vectors, teacher = rng.standard_normal((80, 6)), unit_rows(rng.standard_normal((80, 3))).astype(np.float32)
    start = fit_pca(vectors, 2, whiten=False)
    first, again, other = (fit_similarity_projection(vectors, teacher, start, 0.1, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.matrix, again.matrix) and not np.array_equal(first.matrix, other.matrix)
    large = fit_similarity_projection(vectors * 100, teacher, fit_pca(vectors * 100, 2, whiten=False), 0.1, 0)
    assert np.allclose(large.project(vectors * 100), first.project(vectors), atol=0.02)


def test_rows_that_do_not_match_are_an_error():
    vectors = np.random.default_rng(0).standard_normal((10, 4))
    with pytest.raises(ValueError, match="10 vectors and 9 rows of the teacher"):
        fit_similarity_projection(vectors, np.eye(9, dtype=np.float32), fit_pca(vectors, 2, False), 0.1, 0)
