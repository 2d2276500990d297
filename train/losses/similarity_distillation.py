"""Relational distillation: the student keeps who is near whom, whatever the teacher's width."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from data_prep.errors import unknown_name

KINDS = ("kl", "mse")


def similarity_distillation_loss(
    student: Tensor, teacher: Tensor, temperature: float, kind: Literal["kl", "mse"]
) -> Tensor:
    """Difference between the student's and the teacher's similarities of the other images of the batch.

    `kl`: for each image the softmax of similarity / temperature over the others; KL(teacher || student), mean
    over the images, not multiplied by temperature ** 2. Source: SEED, arXiv 2101.04731, here within the batch.
    `mse`: squared difference of the similarities, mean over the ordered pairs; it has no temperature and
    ignores the one given. Source: similarity-preserving distillation, arXiv 1907.09682, here on cosines.

    Args:
        student: [B, D], unit length; gets the gradient.
        teacher: [B, W], unit length; gets none.
        temperature: of both softmaxes, in units of the cosine.
        kind: `kl` or `mse`.

    Returns:
        Scalar, float32; zero where both have the same similarities.

    Raises:
        ConfigError: an unknown kind.
        ValueError: fewer than two images, batches of different size, a temperature that is not positive.
    """
    if kind not in KINDS:
        raise unknown_name("kind of similarity distillation", kind, KINDS, "distillation")
    if len(student) < 2 or len(student) != len(teacher):
        raise ValueError(
            f"similarity distillation: expected the same two or more images, got {len(student)} of "
            f"the student and {len(teacher)} of the teacher"
        )
    if temperature <= 0.0:
        raise ValueError(f"similarity distillation: temperature must be positive, got {temperature}")
    with torch.autocast(device_type=student.device.type, enabled=False):
        of_student = _similarities_to_others(student.float())
        of_teacher = _similarities_to_others(teacher.detach().float())
        if kind == "mse":
            return functional.mse_loss(of_student, of_teacher)
        return functional.kl_div(
            (of_student / temperature).log_softmax(dim=1),
            (of_teacher / temperature).log_softmax(dim=1),
            reduction="batchmean",
            log_target=True,
        )


def _similarities_to_others(embeddings: Tensor) -> Tensor:
    """[B, D] -> inner products [B, B - 1]: row i holds those with every image but i, in order."""
    n_images = len(embeddings)
    is_other = ~torch.eye(n_images, dtype=torch.bool, device=embeddings.device)
    return (embeddings @ embeddings.T)[is_other].unflatten(0, (n_images, n_images - 1))
