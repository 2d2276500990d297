"""Relational distillation: slow loops, zero for equal geometry, gradients to the student alone."""

import math

import pytest
import torch
from torch.nn import functional

from data_prep.errors import ConfigError
from train.losses.similarity_distillation import similarity_distillation_loss


def _unit(n: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def _shares(embeddings: torch.Tensor, image: int, temperature: float) -> dict[int, float]:
    others = [j for j in range(len(embeddings)) if j != image]
    powers = {j: math.exp(float(embeddings[image] @ embeddings[j]) / temperature) for j in others}
    return {j: power / sum(powers.values()) for j, power in powers.items()}


def test_kl_agrees_with_a_slow_loop() -> None:
    student, teacher = _unit(6, 4, seed=0), _unit(6, 9, seed=1)
    total = 0.0
    for image in range(6):
        of_teacher, of_student = _shares(teacher, image, 0.2), _shares(student, image, 0.2)
        total += sum(share * math.log(share / of_student[other]) for other, share in of_teacher.items())
    assert similarity_distillation_loss(student, teacher, 0.2, "kl").item() == pytest.approx(
        total / 6, rel=1e-4
    )


def test_mse_agrees_with_a_slow_loop() -> None:
    student, teacher = _unit(5, 4, seed=2), _unit(5, 7, seed=3)
    differences = [
        float(student[i] @ student[j] - teacher[i] @ teacher[j]) for i in range(5) for j in range(5) if i != j
    ]
    expected = sum(difference**2 for difference in differences) / len(differences)
    assert similarity_distillation_loss(student, teacher, 1.0, "mse").item() == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_zero_for_the_same_geometry_in_more_dimensions(kind: str) -> None:
    student = _unit(8, 4, seed=4)
    rotation = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(5))).Q
    teacher = functional.pad(student, (0, 6)) @ rotation  # [8, 10]: turned, not bent
    assert similarity_distillation_loss(student, teacher, 0.1, kind).item() == pytest.approx(0.0, abs=1e-5)
    assert similarity_distillation_loss(student, _unit(8, 10, seed=6), 0.1, kind).item() > 0.01


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_only_the_student_gets_a_gradient_and_it_leads_down(kind: str) -> None:
    student, teacher = _unit(8, 4, seed=7).requires_grad_(True), _unit(8, 10, seed=8).requires_grad_(True)
    loss = similarity_distillation_loss(student, teacher, 0.2, kind)
    loss.backward()
    assert teacher.grad is None
    assert student.grad is not None
    moved = functional.normalize((student - 0.01 * student.grad).detach(), dim=1)
    assert similarity_distillation_loss(moved, teacher, 0.2, kind) < loss


def test_float32_under_autocast() -> None:
    student, teacher = _unit(8, 64, seed=9), _unit(8, 64, seed=10)
    plain = similarity_distillation_loss(student, teacher, 0.05, "kl")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(similarity_distillation_loss(student, teacher, 0.05, "kl"), plain)


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'l1'; known: kl, mse"):
        similarity_distillation_loss(_unit(3, 2, 0), _unit(3, 2, 0), 0.1, "l1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_student", "n_teacher", "temperature", "message"),
    [
        (1, 1, 0.1, "two or more"),
        (3, 4, 0.1, "3 of the student and 4"),
        (3, 3, 0.0, "temperature must be positive"),
    ],
)
def test_batches_that_cannot_be_compared(
    n_student: int, n_teacher: int, temperature: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        similarity_distillation_loss(_unit(n_student, 2, 0), _unit(n_teacher, 2, 1), temperature, "kl")
