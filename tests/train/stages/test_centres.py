import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.config import ClassifierConfig
from train.data.feature_cache import compute_features
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder, build_embedder
from train.stages.centres import build_classifier, centres_so_far, set_to_class_means
from train.stages.data import read_training_set


def test_kept_centres_follow_their_class_and_not_their_row():
    before = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    classifier = build_classifier(ClassifierConfig(start="keep"), ("b", "new", "z"), (before, ("a", "b")), 2, seed=0)
    assert classifier.centres[0].tolist() == [[3.0, 4.0]]
    fresh = build_classifier(ClassifierConfig(), ("b", "new", "z"), (None, ()), 2, seed=0)
    assert torch.equal(classifier.centres[1:], fresh.centres[1:])


def test_centres_of_another_form_cannot_be_kept():
    with pytest.raises(ConfigError, match=r"\(1, 2\).*\(3, 2\)"):
        build_classifier(ClassifierConfig(start="keep", n_sub_centres=3), ("a",), (torch.zeros(1, 1, 2), ("a",)), 2, 0)
    with pytest.raises(ConfigError, match="None"):
        build_classifier(ClassifierConfig(start="keep"), ("a",), (None, ()), 2, 0)


def test_class_means_are_the_same_from_pixels_and_from_cached_features(packed):
    data = read_training_set(packed, None)
    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), torch.nn.Linear(16, 4)).eval()
    spec = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    made = []
    for features in (None, compute_features(embedder.backbone, data.reader, spec)):
        classifier = build_classifier(ClassifierConfig(start="class_means"), data.class_names, (None, ()), 4, seed=0)
        set_to_class_means(classifier, embedder, data, spec, features)
        made.append(classifier.centres.detach())
    assert torch.allclose(made[0], made[1], atol=1e-5)
    embeddings = compute_features(embedder, data.reader, spec)
    mean = embeddings[data.class_rows == 3].mean(axis=0)
    centre = made[0][3, 0].numpy()
    assert np.allclose(centre / np.linalg.norm(centre), mean / np.linalg.norm(mean), atol=1e-5)


def test_class_means_by_parts_are_those_of_all_rows_at_once(packed, monkeypatch):
    data, spec = read_training_set(packed, None), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), torch.nn.Linear(16, 4)).eval()
    features = compute_features(embedder.backbone, data.reader, spec)
    made = []
    for n_rows in (2**16, 7):
        monkeypatch.setattr("train.stages.centres._PART_ROWS", n_rows)
        monkeypatch.setattr("train.losses.classifier._PART_ROWS", n_rows)
        classifier = build_classifier(ClassifierConfig(start="class_means"), data.class_names, (None, ()), 4, seed=0)
        set_to_class_means(classifier, embedder, data, spec, features)
        made.append(classifier.centres.detach())
    assert len(features) > 7 and torch.allclose(*made, atol=1e-6)


def test_class_means_take_the_stage_s_precision(packed):
    data, spec = read_training_set(packed, None), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), torch.nn.Linear(16, 4)).eval()
    made = []
    for precision in ("32-true", "bf16-mixed"):
        classifier = build_classifier(ClassifierConfig(start="class_means"), data.class_names, (None, ()), 4, seed=0)
        set_to_class_means(classifier, embedder, data, spec, None, precision=precision)
        made.append(classifier.centres.detach())
    assert torch.allclose(*made, atol=0.05) and not torch.allclose(*made, atol=1e-6)


def test_classes_that_a_stage_does_not_have_stay_behind_its_own():
    before = (torch.tensor([[[1.0]], [[2.0]], [[3.0]]]), ("a/1", "b/1", "b/2"))
    centres, names = centres_so_far((torch.tensor([[[9.0]], [[8.0]]]), ("b/1", "c/1")), before)
    assert names == ("b/1", "c/1", "a/1", "b/2") and centres.flatten().tolist() == [9.0, 8.0, 1.0, 3.0]


def test_earlier_centres_of_another_form_are_dropped():
    now = (torch.zeros(1, 3, 2), ("a/1",))
    assert centres_so_far(now, (None, ())) is now
    assert centres_so_far(now, (torch.zeros(2, 1, 2), ("b/1", "b/2"))) is now


def test_class_means_see_the_image_sizes_with_and_without_cached_features(packed_sizes):
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    embedder = build_embedder(backbone, {"kind": "linear", "out_dim": 4, "image_sizes": True})
    data, spec = read_training_set(packed_sizes, None), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    centres = []
    for features in (None, compute_features(backbone, data.reader, spec)):
        classifier = build_classifier(ClassifierConfig(start="class_means"), data.class_names, (None, ()), 4, seed=0)
        set_to_class_means(classifier, embedder, data, spec, features)
        centres.append(classifier.centres.detach())
    assert torch.allclose(*centres, atol=1e-5)
