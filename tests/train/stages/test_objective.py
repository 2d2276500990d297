import math

import numpy as np
import pytest
import torch

from train.config import MarginConfig
from train.losses.classifier import CosineClassifier
from train.stages.objective import Objective, build_margin, distil_from

COSINES = torch.tensor([[0.5, 0.1], [0.2, 0.3]])
IDS = torch.tensor([0, 1])


def with_margin(config, images_seen=0, rows=(0, 0, 0, 1)):
    margin = build_margin(MarginConfig(**config), np.array(rows), n_classes=2, n_images_per_epoch=10)
    return margin(COSINES, IDS, images_seen)


def shifted(cosine, margin_rad):
    return pytest.approx(math.cos(math.acos(cosine) + margin_rad), abs=1e-5)


def test_margin_grows_by_epoch_up_to_its_limit():
    growing = {"kind": "arcface", "margin_rad": 0.3, "growth_per_epoch": 0.1, "max_margin_rad": 0.45}
    for images_seen, margin_rad in ((0, 0.3), (9, 0.3), (10, 0.4), (20, 0.45), (90, 0.45)):
        out = with_margin(growing, images_seen)
        assert out[0, 0].item() == shifted(0.5, margin_rad) and out[0, 1].item() == pytest.approx(0.1)


def test_a_margin_that_starts_above_the_limit_stays():
    assert with_margin({"kind": "arcface", "margin_rad": 0.9})[0, 0].item() == shifted(0.5, 0.9)


def test_the_rare_class_has_the_larger_margin():
    out = with_margin({"kind": "arcface", "margin_rad": 0.1, "rare_class_margin_rad": 0.5})
    assert out[0, 0].item() == shifted(0.5, 0.1)  # class 0 has 3 images
    assert out[1, 1].item() == shifted(0.3, 0.5)  # class 1 has 1


def test_cosface_and_none():
    assert with_margin({"kind": "cosface", "margin_cos": 0.2})[0, 0].item() == pytest.approx(0.3)
    assert torch.equal(with_margin({"kind": "none"}), COSINES)


def test_only_the_images_own_domain_competes_with_separate_classifiers():
    classifier = CosineClassifier(3, 2)
    classifier.centres.data = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    objective = Objective(lambda c, i, n: c, scale=1.0, label_smoothing=0.0, images_per_step=1, seed=0,
                          batch_norm_frozen=True, backbone_frozen=False, domain_of_class=torch.tensor([0, 0, 1]))
    losses = objective.losses(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), classifier, 0)
    # Classes 0 and 1 compete: -log(e / (e + 1)); class 2, as near as class 0, is of another domain.
    assert losses["loss"].item() == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-5)
    objective.domain_of_class = None
    losses = objective.losses(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([0]), classifier, 0)
    assert losses["loss"].item() == pytest.approx(math.log(2 + math.exp(-1)), abs=1e-5)


def test_distillation_looks_teachers_up_by_sample():
    teacher = np.array([[1.0, 0.0], [9.0, 9.0], [0.0, 1.0], [1.0, 1.0]], np.float32)
    distil = distil_from(teacher, "mse", 0.1)
    same = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # the teacher's rows 2 and 0
    assert distil(same, torch.tensor([2, 0])).item() == pytest.approx(0.0, abs=1e-6)
    assert distil(same, torch.tensor([2, 3])).item() > 0.1


def test_frozen_batch_norms_and_towers_stay_in_evaluation_mode():
    from train.model.backbones import BackboneSpec, build_backbone
    from train.model.embedder import Embedder

    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), torch.nn.Dropout(0.5))
    objective = Objective(lambda c, i, n: c, 1.0, 0.0, 1, 0, batch_norm_frozen=True, backbone_frozen=False)
    objective.set_modes(embedder)
    assert not embedder.backbone.tower[1].training and embedder.backbone.tower[0].training and embedder.head.training
    objective.backbone_frozen = True
    objective.set_modes(embedder)
    assert not embedder.backbone.tower[0].training and embedder.head.training
