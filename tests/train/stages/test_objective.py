import math

import numpy as np
import pytest
import torch

from train.loss_config import MarginConfig
from train.losses.classifier import CosineClassifier
from train.losses.domain_teachers import DomainTeachers
from train.stages.margin import build_margin
from train.stages.objective import Objective, distil_from


def test_only_the_images_own_domain_competes_with_separate_classifiers():
    classifier = CosineClassifier(3, 2)
    classifier.centres.data = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    objective = Objective(lambda c, i, norms, n: c, scale=1.0, label_smoothing=0.0, images_per_step=1, seed=0,
                          batch_norm_frozen=True, domain_of_class=torch.tensor([0, 0, 1]))
    losses = objective.losses(None, torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), classifier, 0)
    # Classes 0 and 1 compete: -log(e / (e + 1)); class 2, as near as class 0, is of another domain.
    assert losses["loss"].item() == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-5)
    objective.domain_of_class = None
    losses = objective.losses(None, torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), classifier, 0)
    assert losses["loss"].item() == pytest.approx(math.log(2 + math.exp(-1)), abs=1e-5)


def test_distillation_looks_teachers_up_by_sample():
    teacher = np.array([[1.0, 0.0], [9.0, 9.0], [0.0, 1.0], [1.0, 1.0]], np.float32)
    distil = distil_from(teacher, "mse", 0.1)
    same = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # the teacher's rows 2 and 0
    assert distil(same, torch.tensor([2, 0])).item() == pytest.approx(0.0, abs=1e-6)
    assert distil(same, torch.tensor([2, 3])).item() > 0.1


def test_what_is_frozen_stays_in_evaluation_mode():
    from train.model.backbones import BackboneSpec, build_backbone
    from train.model.embedder import Embedder

    head = torch.nn.Sequential(torch.nn.BatchNorm1d(16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 4))
    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), head)
    objective = Objective(lambda c, i, norms, n: c, 1.0, 0.0, 1, 0, batch_norm_frozen=True)
    tower = embedder.backbone.tower
    objective.set_modes(embedder)
    assert not tower[1].training and tower[0].training and head[0].training
    objective.batch_norm_frozen = False
    objective.set_modes(embedder)
    assert tower[1].training
    embedder.backbone.requires_grad_(False)
    objective.set_modes(embedder)
    assert not tower[0].training and not tower[1].training and head[0].training
    # A frozen head keeps its statistics, but the tower still learns under its dropout.
    head.requires_grad_(False)
    objective.set_modes(embedder)
    assert not head[0].training and head[1].training


def test_focal_weight_reaches_the_loss():
    classifier = CosineClassifier(2, 2)
    classifier.centres.data = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    objective = Objective(lambda c, i, norms, n: c, 1.0, 0.0, 1, 0, batch_norm_frozen=True, focal_gamma=2.0)
    share = math.e / (math.e + 1)
    losses = objective.losses(None, torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), classifier, 0)
    assert losses["loss"].item() == pytest.approx(-((1 - share) ** 2) * math.log(share), abs=1e-6)


def test_what_teachers_teach_reaches_the_tower_through_the_students_head_alone():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4, 5, generator=generator).requires_grad_(True)
    head, classifier = torch.nn.Linear(5, 2), CosineClassifier(3, 2, generator=generator)
    teachers = DomainTeachers(torch.tensor([0, 0, 1]), width=5, dim=3, scale=8.0, temperature=0.1, seed=1)
    weights = {"teacher_classification": 2.0, "logit_distillation": 3.0, "relation": 5.0}
    objective = Objective(lambda c, i, norms, n: c, 1.0, 0.0, 1, 0, batch_norm_frozen=True, teachers=teachers,
                          teacher_weights=weights)
    losses = objective.losses(features, head(features), torch.tensor([0, 1, 0, 2]), torch.arange(4), classifier, 0)
    expected = losses["classification"] + sum(weight * losses[name] for name, weight in weights.items())
    assert losses["loss"].item() == pytest.approx(expected.item(), rel=1e-6)

    parts = {"tower": features, "head": head.weight, "classifier": classifier.centres,
             "projection": teachers.projection.weight, "centres": teachers.classifier.centres}

    def reached(name):
        gradients = torch.autograd.grad(losses[name], list(parts.values()), retain_graph=True, allow_unused=True)
        return {part for part, gradient in zip(parts, gradients) if gradient is not None and gradient.any()}

    assert reached("classification") == {"tower", "head", "classifier"}
    assert reached("teacher_classification") == {"tower", "projection", "centres"}
    assert reached("logit_distillation") == {"tower", "head", "classifier"}
    assert reached("relation") == {"tower", "head"}


def chunked_objective(chunk_above_logits, kind="arcface", **how):
    values = {"margin_rad": 0.4} if kind != "adacos" else {}
    margin = build_margin(MarginConfig(kind=kind, **values), np.array([0, 1, 1, 2]), 3, 4, 16.0)
    return Objective(margin, 16.0, 0.1, 1, 0, batch_norm_frozen=True, chunk_above_logits=chunk_above_logits, **how)


def test_above_the_threshold_chunks_give_the_same_loss_and_gradients():
    classifier = CosineClassifier(3, 2, n_sub_centres=2, generator=0)
    raw = torch.tensor([[1.0, 0.3], [-0.2, 2.0]], requires_grad=True)
    ids, domains = torch.tensor([2, 0]), torch.tensor([0, 1, 0])
    results = []
    for threshold in (11, 12):  # 2 images x 3 classes x 2 sub-centres
        objective = chunked_objective(threshold, domain_of_class=domains, focal_gamma=1.0)
        assert objective.goes_in_chunks(classifier, 2) == (threshold == 11)
        loss = objective.losses(None, raw, ids, ids, classifier, 0)["loss"]
        results.append((loss, *torch.autograd.grad(loss, (raw, classifier.centres))))
    for chunked, whole in zip(*results):
        assert torch.allclose(chunked, whole, atol=1e-5) and whole.abs().max() > 1e-3


def test_what_needs_the_whole_table_makes_it_at_any_size():
    classifier = CosineClassifier(3, 2)
    assert chunked_objective(0, "curricularface").goes_in_chunks(classifier, 1)
    assert not chunked_objective(0, "adacos").goes_in_chunks(classifier, 1)
    teachers = DomainTeachers(torch.tensor([0, 0, 1]), width=5, dim=3, scale=8.0, temperature=0.1)
    assert not chunked_objective(0, teachers=teachers).goes_in_chunks(classifier, 1)
