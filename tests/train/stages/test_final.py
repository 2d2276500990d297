import json
import weakref
from dataclasses import replace

import numpy as np
import pytest

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.data.embeddings import embed_samples
from train.data.preprocessing import PreprocessSpec, View
from train.data.readers import ShardReader
from train.evaluate import main as evaluate
from train.lightning_module import validation_values
from train.model.backbones import BackboneSpec, build_backbone
from train.retrieval.projection import fit_partly_whitened, fit_pca, unit_rows
from train.retrieval.similarity_projection import fit_similarity_projection, wide_similarities
from train.stages import final as end_of_run
from train.stages.data import items_of
from train.stages.final import check_views, trained_sources
from train.stages.projection import outputs_and_features
from train.stages.runner import Places, run_stages

VIEWS = [{}, {"flip": True}, {"image_px": 24}]


def test_views_travel_and_the_score_is_theirs(packed, tmp_path, make_config):
    config = make_config({}, views=VIEWS, export_image_px=20)
    final = load_checkpoint(run_stages(config, Places(packed, tmp_path), resume=False))
    assert final.preprocess.image_px == 20
    assert final.preprocess.views == (View(), View(flip=True), View(image_px=24))
    assert load_checkpoint(tmp_path / "stage-1-one.ckpt").preprocess.views == (View(),)
    reader = ShardReader(packed, "val")
    scores = validation_values(embed_samples(final.model, reader), items_of(reader.table))
    assert final.meta["val"]["mMP@5"] == pytest.approx(scores["val/mMP@5"], abs=1e-6)
    assert evaluate([str(tmp_path / "final.ckpt"), "--shards", str(packed), "--split", "val"]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    assert record["merged"]["balanced"]["mMP@5"] == pytest.approx(scores["val/mMP@5"], abs=1e-6)


def test_a_transformer_takes_flips_and_crops_but_no_other_size():
    tower = build_backbone(BackboneSpec("timm", "vit_tiny_patch16_224", None, 32, narrow_width=8))
    spec = PreprocessSpec(32, tower.mean, tower.std, views=(View(), View(image_px=32, flip=True, crop=0.9)))
    check_views(tower, spec)
    with pytest.raises(ConfigError, match=r"views\.1\.image_px: 48, but 'vit_tiny_\w+' has position"):
        check_views(tower, replace(spec, views=(View(), View(image_px=48))))
    check_views(build_backbone(BackboneSpec("timm", "tf_efficientnet_lite0", None, 32)),
                replace(spec, views=(View(image_px=48),)))


def test_wrong_views_are_told_before_training(packed, tmp_path, make_config):
    narrow = {"kind": "timm", "arch": "vit_tiny_patch16_224", "weights": None, "narrow_width": 8}
    config = make_config({"image_px": 32}, backbone=narrow, views=VIEWS)
    with pytest.raises(ConfigError, match=r"views\.2\.image_px: 24"):
        run_stages(config, Places(packed, tmp_path), resume=False)
    assert not list(tmp_path.glob("*.ckpt"))


@pytest.mark.parametrize("after, fitted_on", [("unit", None), ("raw", None), ("unit", "raw")])
def test_the_projection_is_fit_pca_by_hand(packed, tmp_path, make_config, after, fitted_on):
    projection = {"out_dim": 3, "after": after, "fitted_on": fitted_on}
    run_stages(make_config({}, projection=projection), Places(packed, tmp_path), resume=False)
    stage, final = (load_checkpoint(tmp_path / name) for name in ("stage-1-one.ckpt", "final.ckpt"))
    train, val = ShardReader(packed, "train"), ShardReader(packed, "val")
    raw_train, raw_val = (
        outputs_and_features(stage.embedder, reader, stage.preprocess)[0]
        for reader in (train, val)
    )
    pca = fit_pca(unit_rows(raw_train) if (fitted_on or after) == "unit" else raw_train, 3, whiten=False)
    expected = pca.project(unit_rows(raw_val) if after == "unit" else raw_val)
    got = embed_samples(final.model, val)
    assert got.shape == (len(val), 3) and np.allclose(got, expected, atol=1e-4)
    assert final.centres is None and final.class_names == ()
    # Folded in: dropout, linear; behind unit length: dropout, linear, unit length, linear.
    assert len(final.embedder.head) == (2 if after == "raw" else 4)
    scores = validation_values(expected, items_of(val.table))
    assert final.meta["val"]["mMP@5"] == pytest.approx(scores["val/mMP@5"], abs=0.02)


@pytest.mark.parametrize("after", ["unit", "raw"])
def test_a_projection_by_similarity_starts_at_pca_and_hears_head_and_tower(packed, tmp_path, make_config, after):
    projection = {"kind": "similarity", "tower_share": 0.4, "temperature": 0.1, "after": after, "whitening": 0.5,
                  "out_dim": 3}
    run_stages(make_config({}, projection=projection, seed=7), Places(packed, tmp_path), resume=False)
    stage, final = (load_checkpoint(tmp_path / name) for name in ("stage-1-one.ckpt", "final.ckpt"))
    train, val = ShardReader(packed, "train"), ShardReader(packed, "val")
    (outputs, features), (of_val, _) = (
        outputs_and_features(stage.embedder, reader, stage.preprocess)
        for reader in (train, val)
    )
    teacher = wide_similarities(outputs, features, 0.4)
    if after == "unit":
        outputs, of_val = unit_rows(outputs), unit_rows(of_val)
    start = fit_partly_whitened(outputs, 3, 0.5)
    expected = fit_similarity_projection(outputs, teacher, start, 0.1, seed=7).project(of_val)
    assert np.allclose(embed_samples(final.model, val), expected, atol=1e-4)
    assert not np.allclose(start.project(of_val), expected, atol=1e-2)


@pytest.mark.parametrize("choose, n_loaded", [("last", 1), ("best_validation", 4)])
def test_at_the_end_one_stage_at_a_time_is_in_memory(packed, tmp_path, make_config, monkeypatch, choose, n_loaded):
    loaded, alive = [], []

    def load(path):
        alive.append(sum(embedder() is not None for embedder in loaded))
        one = load_checkpoint(path)
        loaded.append(weakref.ref(one.embedder))
        return one

    monkeypatch.setattr(end_of_run, "load_checkpoint", load)
    config = make_config({}, {"name": "two"}, {"name": "three"}, choose=choose)
    run_stages(config, Places(packed, tmp_path), resume=False)
    assert alive == [0] * n_loaded


def test_a_projection_is_fitted_on_the_sources_that_were_trained_on(make_config):
    assert trained_sources(make_config({})) is None
    two = make_config({"sources": ["b", "a"]}, {"name": "two", "sources": ["c", "a"]})
    assert trained_sources(two) == ("a", "b", "c")
    assert trained_sources(make_config({"sources": ["b"]}, {"name": "two"})) is None


def test_more_axes_than_the_embeddings_span_is_an_error(packed, tmp_path, make_config):
    projection = {"out_dim": 8, "images": 5}
    with pytest.raises(ConfigError, match=r"projection: PCA to 8 dimensions: 5 features \[8\] span only"):
        run_stages(make_config({}, projection=projection), Places(packed, tmp_path), resume=False)
    assert (tmp_path / "stage-1-one.ckpt").is_file() and not (tmp_path / "final.ckpt").exists()


def test_without_views_or_projection_the_file_is_the_stage_itself(packed, tmp_path, make_config):
    final = run_stages(make_config({}), Places(packed, tmp_path), resume=False)
    assert final.read_bytes() == (tmp_path / "stage-1-one.ckpt").read_bytes()
