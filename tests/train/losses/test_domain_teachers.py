"""Domain teachers: slow loops over single images and pairs, and who gets a gradient from what."""

import math

import pytest
import torch
from torch.nn import functional

from train.losses.domain_teachers import DomainTeachers, logit_distillation_loss, relation_loss

DOMAIN_OF_CLASS = torch.tensor([0, 1, 0, 2, 1, 0])
CLASS_IDS = torch.tensor([0, 4, 2, 5, 1, 3, 0])  # domains 0 1 0 0 1 2 0
DOMAINS = DOMAIN_OF_CLASS[CLASS_IDS]


def _unit(n: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def _cosines(seed: int) -> torch.Tensor:
    return torch.rand(7, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def _shares(cosines: torch.Tensor, columns: list[int], factor: float) -> dict[int, float]:
    powers = {c: math.exp(float(cosines[c]) * factor) for c in columns}
    return {c: power / sum(powers.values()) for c, power in powers.items()}


def _own_classes(image: int) -> list[int]:
    return [c for c in range(6) if DOMAIN_OF_CLASS[c] == DOMAINS[image]]


@pytest.fixture
def teachers() -> DomainTeachers:
    return DomainTeachers(DOMAIN_OF_CLASS, width=5, dim=4, scale=16.0, temperature=0.2, seed=0)


def test_logit_distillation_agrees_with_a_slow_loop() -> None:
    student, teacher = _cosines(1), _cosines(2)
    total = 0.0
    for image in range(7):
        of_student, of_teacher = (_shares(c[image], _own_classes(image), 1 / 0.2) for c in (student, teacher))
        total += sum(share * math.log(share / of_student[c]) for c, share in of_teacher.items())
    mask = DOMAINS[:, None] == DOMAIN_OF_CLASS[None, :]
    assert logit_distillation_loss(student, teacher, mask, 0.2).item() == pytest.approx(total / 7, rel=1e-5)
    assert logit_distillation_loss(teacher, teacher, mask, 0.2).item() == pytest.approx(0.0, abs=1e-6)


def test_relations_agree_with_a_slow_loop_over_pairs_of_one_domain() -> None:
    student, teacher = _unit(7, 3, 3), _unit(7, 8, 4)
    squares = [
        float(student[i] @ student[j] - teacher[i] @ teacher[j]) ** 2
        for i in range(7) for j in range(7) if i != j and DOMAINS[i] == DOMAINS[j]
    ]
    assert len(squares) == 4 * 3 + 2
    assert relation_loss(student, teacher, DOMAINS).item() == pytest.approx(sum(squares) / len(squares), rel=1e-5)
    # The published code's form of a batch of one domain: squared differences summed over each row, mean over the rows.
    rows = (student @ student.T - teacher @ teacher.T).square().sum(dim=1).mean()
    assert 6 * relation_loss(student, teacher, torch.zeros(7, dtype=torch.long)).item() == pytest.approx(
        rows.item(), rel=1e-5)


def test_images_without_a_pair_teach_no_relation() -> None:
    student = _unit(3, 4, 5).requires_grad_(True)
    loss = relation_loss(student, _unit(3, 4, 6), torch.tensor([0, 1, 2]))
    loss.backward()
    assert loss.item() == 0.0 and not student.grad.any()


def test_each_image_is_seen_by_the_teacher_of_its_domain_alone(teachers) -> None:
    features = torch.randn(7, 5, generator=torch.Generator().manual_seed(7)) * 9
    got = teachers.embed(features, DOMAINS)
    classification = teachers.losses(features, CLASS_IDS, (_unit(7, 3, 8), _cosines(9)))["teacher_classification"]
    weight, bias, centres = (p.detach() for p in teachers.parameters())
    total = 0.0
    for image in range(7):
        own = slice(4 * int(DOMAINS[image]), 4 * int(DOMAINS[image]) + 4)
        embedding = weight[own] @ (features[image] / features[image].norm()) + bias[own]
        embedding = embedding / embedding.norm()
        assert torch.allclose(got[image], embedding, atol=1e-6)
        cosines = torch.stack([embedding @ (c[0] / c[0].norm()) for c in centres])
        total -= math.log(_shares(cosines, _own_classes(image), 16.0)[int(CLASS_IDS[image])])
    assert classification.item() == pytest.approx(total / 7, rel=1e-4)


def test_teachers_learn_from_labels_and_the_student_from_teachers(teachers) -> None:
    def reached(name: str) -> dict[str, bool]:
        features = _unit(7, 5, 10).requires_grad_(True)
        embeddings, cosines = _unit(7, 3, 11).requires_grad_(True), _cosines(12).requires_grad_(True)
        teachers.zero_grad(set_to_none=True)
        teachers.losses(features, CLASS_IDS, (embeddings, cosines))[name].backward()
        tensors = {"features": features, "embeddings": embeddings, "cosines": cosines,
                   "projection": teachers.projection.weight, "centres": teachers.classifier.centres}
        return {key for key, value in tensors.items() if value.grad is not None and value.grad.any()}

    assert reached("teacher_classification") == {"features", "projection", "centres"}
    assert reached("logit_distillation") == {"cosines"}
    assert reached("relation") == {"embeddings"}


def test_distillation_leads_the_student_to_the_teacher(teachers) -> None:
    features, embeddings, cosines = _unit(7, 5, 13), _unit(7, 3, 14).requires_grad_(), _cosines(15).requires_grad_()
    before = teachers.losses(features, CLASS_IDS, (embeddings, cosines))
    (before["logit_distillation"] + before["relation"]).backward()
    moved = functional.normalize((embeddings - 0.01 * embeddings.grad).detach(), dim=1)
    after = teachers.losses(features, CLASS_IDS, (moved, (cosines - 0.01 * cosines.grad).detach()))
    assert after["relation"] < before["relation"] and after["logit_distillation"] < before["logit_distillation"]


def test_a_batch_of_one_domain_gives_every_parameter_a_gradient_if_only_of_zeros(teachers) -> None:
    class_ids = torch.tensor([1, 4, 4])
    losses = teachers.losses(_unit(3, 5, 16), class_ids, (_unit(3, 3, 17), _cosines(18)[:3]))
    losses["teacher_classification"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in teachers.parameters())
    by_domain = teachers.projection.weight.grad.unflatten(0, (3, 4))
    assert by_domain[1].any() and not by_domain[0].any() and not by_domain[2].any()
    assert teachers.classifier.centres.grad.flatten(1).any(dim=1).tolist() == [False, True, False, False, True, False]


def test_similarities_stay_float32_under_autocast() -> None:
    student, teacher = _unit(7, 32, 19), _unit(7, 32, 20)
    plain = relation_loss(student, teacher, DOMAINS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(relation_loss(student, teacher, DOMAINS), plain)


def test_start_values_follow_the_seed() -> None:
    made = [DomainTeachers(DOMAIN_OF_CLASS, 5, 4, 16.0, 0.1, seed) for seed in (1, 1, 2)]
    first, same, other = (m.projection.weight for m in made)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(made[0].classifier.centres, made[1].classifier.centres)
