"""A linear map to fewer numbers that keeps who is near whom, fitted without labels.

A head trained straight at 64 numbers keeps what tells the training classes apart and drops what new domains need; a
wider one drops less. Fitting the short embedding to the similarities of wide ones, rather than to labels, keeps more of
them than PCA does, which asks for variance alone. The wide embedding as teacher of a short one: S2SD (arXiv
2009.08348), there while training, here after it.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data_prep.progress import progress_bar
from train.losses.similarity_distillation import similarity_distillation_loss
from train.retrieval.projection import Projection, unit_rows

BATCH, STEPS = 512, 600
RATE = 0.016  # Adam's, of an entry of a unit row: divided by the root of the width


def wide_similarities(outputs: np.ndarray, features: np.ndarray, tower_share: float) -> np.ndarray:
    """Unit rows float32 [N, A + W] whose inner products are (1 - tower_share) * cosine of the outputs + tower_share *
    cosine of the centred features.

    Args:
        outputs: [N, A], of the head.
        features: [N, W], of the tower.
        tower_share: 0 to 1.
    """
    own, towers = unit_rows(outputs), unit_rows(features - features.mean(axis=0))
    return np.concatenate([own * (1 - tower_share) ** 0.5, towers * tower_share**0.5], axis=1).astype(np.float32)


def fit_similarity_projection(
    vectors: np.ndarray, teacher: np.ndarray, start: Projection, temperature: float, seed: int
) -> Projection:
    """The map [N, W] -> [N, out_dim] under which each image's neighbours are most like the teacher's.

    It minimises `similarity_distillation_loss` (`kl`) over random batches of the images, from `start` on; the mean
    stays that of `start`. The same seed gives the same map on the same machine.

    Args:
        vectors: [N, W], what is projected.
        teacher: float32 [N, T], unit length.
        start: a projection of W to out_dim numbers, such as PCA.
        temperature: of the similarities, in units of the cosine.
        seed: of the batches.

    Raises:
        ValueError: as `similarity_distillation_loss`, and rows of the two that do not match.
    """
    if len(vectors) != len(teacher):
        raise ValueError(f"similarity projection: {len(vectors)} vectors and {len(teacher)} rows of the teacher")
    rng = np.random.default_rng(seed)
    centred, wanted = torch.from_numpy(_unit_scale(vectors - start.mean)), torch.from_numpy(teacher)
    matrix = torch.from_numpy(start.matrix.astype(np.float32)).requires_grad_()
    optimizer = torch.optim.Adam([matrix], lr=RATE / start.matrix.shape[1] ** 0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    with progress_bar(STEPS, "projection", "step") as progress, torch.enable_grad():
        for _ in range(STEPS):
            rows = torch.from_numpy(rng.permutation(len(vectors))[:BATCH])
            optimizer.zero_grad()
            _loss(matrix, centred[rows], wanted[rows], temperature).backward()
            optimizer.step()
            schedule.step()
            progress.update(1)
    return Projection(start.mean, matrix.detach().double().numpy())


def _unit_scale(centred: np.ndarray) -> np.ndarray:
    """float32, divided by the rows' mean length, so that a step of the optimizer means the same for all of them."""
    return (centred / max(np.linalg.norm(centred, axis=1).mean(), 1e-12)).astype(np.float32)


def _loss(matrix: Tensor, centred: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    return similarity_distillation_loss(functional.normalize(centred @ matrix.T, dim=1), wanted, temperature, "kl")
