import json
from functools import partial

import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.data import feature_cache
from train.model.backbones import BackboneSpec, build_backbone
from train.stages import head_trials, run_folder
from train.stages.head_trials import HeadTrials
from train.stages.runner import Places, run_stages

HEAD = {"name": "head", "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
        "feature_cache": True, "epochs": 4, "classifier": {"start": "class_means", "scale": 16.0}}

DRAWS = {"kind": "timm", "arch": "test_efficientnet"}  # from torch's own generator, where the tiny tower does not


def save_tower(path):
    """Random weights; the keys of a config that starts from them."""
    torch.save(build_backbone(BackboneSpec(**DRAWS, weights=None, image_px=32)).tower.state_dict(), path)
    return {"backbone": DRAWS | {"weights": "file:tower"}, "weight_files": {"tower": str(path)}}


@pytest.mark.parametrize("changes", [
    {}, {"head_dropout": 0.3, "ema_decay": 0.9}, {"start_weight": 0.5}, {"distillation": {"weight": 1.0}},
])
def test_with_all_sources_it_is_the_runs_own_first_stage(changes, packed, tmp_path, make_config):
    config = make_config(HEAD | changes, head={"kind": "linear", "out_dim": 8, "init": "pca"}, seed=3)
    places = Places(packed, tmp_path / "run", tmp_path / "features")
    run_stages(config, places, resume=False)
    expected = load_checkpoint(places.run_dir / "stage-1-head.ckpt").meta["val"]
    trials = HeadTrials(config, packed, tmp_path / "features")
    found = trials.score(trials.sources, 3)
    assert {name: round(value, 6) for name, value in found.items()} == pytest.approx(expected, abs=2e-6)
    assert trials.score(trials.sources, 4) != found


@pytest.mark.parametrize("has_weights, run_seed", [(False, 3), (True, 4)])
def test_a_tower_that_draws_when_it_is_built_leaves_the_head_that_of_the_run(
    has_weights, run_seed, packed, tmp_path, make_config
):
    tower = save_tower(tmp_path / "tower.pt") if has_weights else {"backbone": DRAWS | {"weights": None}}
    stage = HEAD | {"image_px": 32, "head_dropout": 0.3, "classifier": {"scale": 16.0}}
    make = partial(make_config, stage, **tower)
    run_stages(make(seed=run_seed), Places(packed, tmp_path / "run", tmp_path / "features"), resume=False)
    expected = load_checkpoint(tmp_path / "run" / "stage-1-head.ckpt").meta["val"]
    trials = HeadTrials(make(seed=3), packed, tmp_path / "features")
    for _ in range(2):
        found = trials.score(trials.sources, run_seed)
        assert {name: round(value, 6) for name, value in found.items()} == pytest.approx(expected, abs=2e-6)
        trials.score(["disks"], 5)  # another seed between them


def test_settings_are_what_scores_hang_on(packed, tmp_path, make_config):
    def settings(stage=HEAD, n_images=80, **changes):
        return HeadTrials(make_config(stage, HEAD | {"name": "two"}, **changes), packed, tmp_path, n_images).settings

    first = settings()
    of_runs = {"name": "x", "n_workers": 1, "n_devices": 2, "strategy": "fsdp", "tracking": [], "views": [{"flip": 1}]}
    assert settings(**of_runs) == first
    assert settings(HEAD | {"epochs": 9, "rounds": 2}) == first  # a trial has its own length
    others = [settings(n_images=88), settings(HEAD | {"batch_size": 4}), settings(resize="shortest_crop"),
              settings(head={"kind": "linear", "out_dim": 4})]
    assert all(other != first for other in others)
    assert set(run_folder.EXECUTION_KEYS) <= set(head_trials._KEYS_OF_RUNS)
    assert settings(seed=1) != first  # which draws a tower without weights
    loaded = save_tower(tmp_path / "tower.pt")
    assert settings(**loaded, seed=1) == settings(**loaded) != first


def test_features_are_computed_once_and_every_trial_has_the_same_budget(packed, tmp_path, make_config, monkeypatch):
    calls = []
    real = feature_cache.feature_rows
    monkeypatch.setattr(feature_cache, "feature_rows", lambda *a, **k: calls.append(1) or real(*a, **k))
    config = make_config(HEAD, head={"kind": "linear", "out_dim": 8, "init": "pca"})
    trials = HeadTrials(config, packed, tmp_path)
    assert len(calls) == 2 and trials.sources == ("disks", "tiles")  # train and val
    assert trials.n_images == 4 * len(trials.training)
    steps = []
    real_fit = head_trials.fit_module
    monkeypatch.setattr(head_trials, "fit_module", lambda config, stage, module, loaders: steps.append(
        loaders.plan.batches.shape) or real_fit(config, stage, module, loaders))
    scores = [trials.score(sources, 0) for sources in (("disks",), ("tiles",), ("disks", "tiles"))]
    assert len(calls) == 2
    assert len(set(steps)) == 1 and steps[0] == (round(trials.n_images / 8), 8)
    assert all(one.keys() == {"mMP@5", "R@1", "mMP@5/disks", "mMP@5/tiles"} for one in scores)
    assert len({json.dumps(one) for one in scores}) == 3
    assert HeadTrials(config, packed, tmp_path, n_images=100).n_images == 100 and len(calls) == 2


def test_steps_of_specialists_are_those_of_the_chosen(packed, tmp_path, make_config):
    sampler = {"kind": "specialist_steps", "steps_by_source": {"disks": 3, "tiles": 1}}
    trials = HeadTrials(make_config(HEAD | {"sampler": sampler}), packed, tmp_path, n_images=80)
    assert trials.score(("tiles",), 0)["mMP@5"] > 0


def test_a_first_stage_that_trains_its_tower_is_refused(packed, tmp_path, make_config):
    with pytest.raises(ConfigError, match=r"'one', trains more than the head; .*feature_cache: true"):
        HeadTrials(make_config({}), packed, tmp_path)
