"""Three sources of one kind of pattern; in one of them the labels are shuffled."""

import json

import numpy as np
import pytest
import yaml

from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.mixture import MixtureConfig
from train.choose_sources import main
from train.stages.head_trials import HeadTrials

STAGE = {
    "name": "head", "image_px": 16, "epochs": 1, "batch_size": 16, "optimizer": {"lr": 0.03}, "feature_cache": True,
    "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
    "margin": {"kind": "arcface", "margin_rad": 0.2}, "classifier": {"start": "class_means", "scale": 16.0},
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory, draw_patterns):
    """Sources `disks` and `tiles` with a third of their classes for val; all of `noise`, labels shuffled, for train."""
    root = tmp_path_factory.mktemp("three")
    for seed, name in enumerate(("disks", "tiles", "noise"), start=1):
        draw_patterns(root / "raw" / name, 24, 5, seed)
    files = sorted((root / "raw" / "noise").rglob("*.jpg"))
    contents = [path.read_bytes() for path in files]
    for path, other in zip(files, np.random.default_rng(0).permutation(len(files))):
        path.write_bytes(contents[other])
    sources = [{"source": name, "domain": name, "reader": "class_folders", "split": "by_class",
                "val_fraction": 0.0 if name == "noise" else 0.34} for name in ("disks", "tiles", "noise")]
    config = build_config(MixtureConfig, {"name": "three", "seed": 0, "image_px": 32, "sources": sources}, "test")
    return build(config, root / "raw", root / "shards", n_workers=1).parent


@pytest.fixture
def command(shards, tmp_path):
    tree = {"name": "test", "mixture": "three", "accelerator": "cpu", "stages": [STAGE],
            "backbone": {"kind": "tiny", "arch": "conv32", "weights": None},
            "head": {"kind": "linear", "out_dim": 16, "init": "pca", "init_length": 4.0}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(tree))
    return [str(tmp_path / "c.yaml"), "--shards", str(shards), "--out", str(tmp_path / "out"), "--images", "3200"]


def result(tmp_path):
    return json.loads((tmp_path / "out" / "choose_sources.json").read_text())


def test_shuffled_labels_are_not_chosen_and_nothing_is_trained_twice(command, tmp_path, monkeypatch, capsys):
    assert main(command) == 0
    found = result(tmp_path)
    assert found["chosen"] and "noise" not in found["chosen"]
    first = {one["changed"]: one["mean"] for one in found["rounds"][0]["trials"]}
    assert first.keys() == {"disks", "tiles", "noise"} and first["noise"] < min(first["disks"], first["tiles"]) - 0.03
    assert found["per_domain"].keys() == {"disks", "tiles"}  # all domains, whatever was trained on
    assert found["settings"]["n_images_a_training"] == 3200
    assert (tmp_path / "out" / "choose_sources.png").is_file()
    printed = capsys.readouterr().out
    assert "every training sees 3,200 images, 1 seed(s) a trial" in printed and "chosen: " in printed

    calls = []
    real = HeadTrials.score
    monkeypatch.setattr(HeadTrials, "score", lambda self, *a: calls.append(a) or real(self, *a))
    assert main([*command, "n_workers=1", "tracking=[]"]) == 0 and not calls  # on another machine, say
    assert result(tmp_path) == found
    # From shuffled labels as the start, with removal, the search gets rid of them.
    assert main([*command, "--start", "noise", "--start", "tiles", "--candidate", "tiles", "--try-removing"]) == 0
    assert result(tmp_path)["chosen"] == ["tiles"] and not calls
    assert len(result(tmp_path)["trials"]) == len(found["trials"])


@pytest.mark.parametrize("change, part", [
    (["--candidate", "nonesuch"], "--candidate: no source with train samples 'nonesuch'; known: disks, noise, tiles"),
    (["--start", "nonesuch"], "--start: no source"),
    (["stages.0.feature_cache=false"], "its first stage, 'head', trains more than the head"),
    (["stages.0.nonesuch=1"], "unknown key"),
])
def test_wrong_arguments_end_with_a_sentence(command, change, part, capsys):
    assert main([*command, *change]) == 2
    assert part in capsys.readouterr().err


def test_trials_of_another_budget_are_refused(command, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "choose_sources.json").write_text('{"settings": {}, "trials": []}')
    assert main(command) == 2
    assert "run otherwise (config, manifest_sha256, n_images_a_training)" in capsys.readouterr().err
