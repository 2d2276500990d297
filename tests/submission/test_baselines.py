"""The starting tower as a baseline: what is computed, what is kept, what cannot be had."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from submission import baselines
from submission.baselines import OFF_THE_SHELF, PCA_WHITENED, no_baselines, score_baselines, starting_model
from submission.evaluation_set import read_shards, read_table
from submission.hosted_scorer import open_image
from submission.scoring import Scoring, measure_score
from train.checkpoint import load_checkpoint, save_checkpoint
from train.concatenation import load_model, save_concatenation
from train.data.embeddings import choose_rows
from train.data.preprocessing import PreprocessSpec, View, preprocess
from train.data.readers import ShardReader
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder
from train.model.image_model import projection_layer
from train.retrieval.projection import fit_pca, random_projection


def eager_features(checkpoint_path, images):
    """Unit features of the starting tower, straight from torch."""
    checkpoint = load_checkpoint(checkpoint_path)
    tower = build_backbone(checkpoint.backbone_spec).eval()
    with torch.no_grad():
        batch = torch.stack([preprocess(image, checkpoint.preprocess) for image in images])
        return nn.functional.normalize(tower(batch), dim=1).numpy()


def test_both_baselines_are_those_of_the_starting_tower(checkpoint_path, shards_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "MAX_DIM", 6)  # the tests' tower has 32 features, too few for 64
    evaluation = read_shards(shards_dir)
    found = score_baselines(checkpoint_path, evaluation, shards_dir, Scoring(), tmp_path / "kept")
    assert found.missing == {}
    assert found.scores[OFF_THE_SHELF]["embedding_dim"] == 32
    assert found.scores[PCA_WHITENED]["embedding_dim"] == 6
    features = eager_features(checkpoint_path, [open_image(evaluation.read_bytes(row)) for row in range(12)])
    reader = ShardReader(shards_dir, "train")
    fitted_on = eager_features(checkpoint_path, [reader.image(row) for row in range(len(reader))])
    whitened = fit_pca(fitted_on, 6, whiten=True).project(features)
    for name, embeddings in ((OFF_THE_SHELF, features), (PCA_WHITENED, whitened)):
        expected = measure_score(embeddings, evaluation, Scoring())[1]
        assert found.scores[name]["mMP@5"] == pytest.approx(expected["mMP@5"], abs=0.03)
        assert found.scores[name].keys() == expected.keys()


def test_scores_are_kept_and_found_again_until_something_changes(
    checkpoint_path, shards_dir, table_path, tmp_path, monkeypatch
):
    kept = tmp_path / "kept"
    evaluation = read_shards(shards_dir)
    first = score_baselines(checkpoint_path, evaluation, None, Scoring(), kept)
    assert len(list(kept.iterdir())) == 1
    monkeypatch.setattr(baselines, "_measure", lambda *_: pytest.fail("computed again"))
    assert score_baselines(checkpoint_path, evaluation, None, Scoring(), kept) == first
    monkeypatch.setattr(baselines, "_measure", lambda *_: no_baselines("computed again"))
    for other_set, other_scoring in ((evaluation, Scoring(index="separate")), (read_table(table_path), Scoring())):
        again = score_baselines(checkpoint_path, other_set, None, other_scoring, kept)
        assert again.missing[OFF_THE_SHELF] == "computed again"
    assert len(list(kept.iterdir())) == 3


def test_what_cannot_be_had_has_its_reason(checkpoint_path, shards_dir, tmp_path):
    evaluation = read_shards(shards_dir)
    without_shards = score_baselines(checkpoint_path, evaluation, None, Scoring(), tmp_path / "kept")
    assert without_shards.scores[PCA_WHITENED] is None and without_shards.scores[OFF_THE_SHELF]["mMP@5"] > 0
    assert "give their shards with --shards" in without_shards.missing[PCA_WHITENED]
    too_small = score_baselines(checkpoint_path, evaluation, shards_dir, Scoring(), tmp_path / "kept")
    assert too_small.scores[PCA_WHITENED] is None
    assert "PCA to 64 dimensions: 18 features [32] span only" in too_small.missing[PCA_WHITENED]
    assert json.dumps(too_small.scores)


def test_the_projection_is_not_trusted_where_the_exported_file_disagrees(
    checkpoint_path, shards_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr(baselines, "MAX_DIM", 6)
    titles = []
    embed_set = baselines.embed_set

    def recorded(model_path, evaluation, device, title):
        titles.append(title)
        return embed_set(model_path, evaluation, device, title)

    monkeypatch.setattr(baselines, "embed_set", recorded)
    evaluation = read_shards(shards_dir)
    score_baselines(checkpoint_path, evaluation, shards_dir, Scoring(), tmp_path / "agree")
    assert titles == ["off the shelf"]
    other = projection_layer(random_projection(32, 6, np.random.default_rng(0)))
    monkeypatch.setattr(baselines, "projection_layer", lambda pca: other)
    score_baselines(checkpoint_path, evaluation, shards_dir, Scoring(), tmp_path / "differ")
    assert titles == ["off the shelf", "off the shelf", "PCA-whitened"]


def test_training_images_are_chosen_by_a_stable_hash(checkpoint_path, shards_dir, monkeypatch):
    wide = starting_model(load_model(checkpoint_path))
    reader = ShardReader(shards_dir, "train")
    everything = baselines._train_features(wide, reader, "cpu")
    assert everything.shape == (18, 32)
    monkeypatch.setattr(baselines, "_N_PCA_IMAGES", 5)
    few = baselines._train_features(wide, reader, "cpu")
    assert few.shape == (5, 32)
    chosen = choose_rows(reader, 5)
    assert few == pytest.approx(everything[chosen], abs=1e-5)


def test_no_baselines_says_why_for_each():
    nothing = no_baselines("switched off")
    assert nothing.scores == {OFF_THE_SHELF: None, PCA_WHITENED: None}
    assert nothing.missing == {OFF_THE_SHELF: "switched off", PCA_WHITENED: "switched off"}


def test_several_towers_start_side_by_side(checkpoint_path, tmp_path, jpeg):
    other = build_embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 24)), {"kind": "linear", "out_dim": 4})
    spec = PreprocessSpec(24, (0.5,) * 3, (0.5,) * 3, views=(View(), View(flip=True)))
    save_checkpoint(tmp_path / "other.ckpt", other, {"kind": "linear", "out_dim": 4}, spec, (None, ()), {})
    members = [load_checkpoint(path) for path in (checkpoint_path, tmp_path / "other.ckpt")]
    save_concatenation(tmp_path / "both.ckpt", members, [3.0, 4.0], None, {})
    wide = starting_model(load_model(tmp_path / "both.ckpt"))
    image = open_image(jpeg("red", 1))
    with torch.no_grad():
        got = wide.embed([image], torch.tensor([[16.0, 24.0]]))[0]
        own = [starting_model(load_model(path)).embed([image], torch.tensor([[16.0, 24.0]]))[0]
               for path in (checkpoint_path, tmp_path / "other.ckpt")]
    assert torch.allclose(got, torch.cat([0.6 * own[0], 0.8 * own[1]]), atol=1e-6)
    assert [len(spec.views) for spec in wide.specs] == [1, 1] and not wide.training
