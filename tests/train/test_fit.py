import os
import signal

import pytest
import torch
import yaml

from train.checkpoint import load_checkpoint
from train.fit import main
from train.lightning_module import StageModule
from train.run_log import read_metrics


@pytest.fixture
def config_path(make_config, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(make_config({}).model_dump(mode="json")))
    return path


def test_trains_from_the_command_line_and_overrides_win(packed, config_path, tmp_path, capsys):
    run_dir = tmp_path / "run"
    status = main([str(config_path), "--shards", str(packed), "--run-dir", str(run_dir), "seed=9"])
    assert status == 0 and (run_dir / "final.ckpt").is_file()
    assert "seed: 9" in (run_dir / "resolved.yaml").read_text()
    assert f"wrote {run_dir / 'final.ckpt'}" in capsys.readouterr().out


def test_user_errors_are_one_line_and_status_two(packed, config_path, tmp_path, capsys):
    assert main([str(config_path), "stages.0.epohcs=1"]) == 2
    assert "stages.0.epohcs: unknown key" in capsys.readouterr().err
    assert main(["nonesuch"]) == 2
    known = capsys.readouterr().err.partition("known: ")[2]
    assert {"pocket", "quickstart", "vith14", "place1"} <= set(known.strip().split(", "))
    assert main([str(config_path), "--shards", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_smoke_runs_every_stage_of_a_recipe_on_any_mixture(packed, tmp_path):
    run_dir = tmp_path / "run"
    arguments = ["vith14", "head.out_dim=8", "--smoke", "--shards", str(packed), "--run-dir", str(run_dir)]
    assert main([*arguments, "--features-dir", str(tmp_path / "features")]) == 0
    loaded = load_checkpoint(run_dir / "final.ckpt")
    assert loaded.meta["config"]["name"] == "smoke_vith14" and loaded.preprocess.image_px == 42
    assert loaded.backbone_spec.narrow_width == loaded.embedder.backbone.width == 72
    assert {row["stage"] for row in read_metrics(run_dir)} == {"head", "everything", "sharper"}
    # Of the train samples and of the val samples.
    assert len(list((tmp_path / "features").glob("features-*.npy"))) == 2 and not (run_dir / "cache").exists()


def test_unknown_flags_stop(config_path):
    with pytest.raises(SystemExit) as stop:
        main([str(config_path), "--epochs", "3"])
    assert stop.value.code == 2


FROZEN = [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]


@pytest.mark.parametrize(("stage", "number"), [
    ({}, signal.SIGTERM),
    ({"batch_size": 4, "accumulate_batches": 2}, signal.SIGUSR1),
    ({"ema_decay": 0.8, "head_dropout": 0.2, "batch_norm": "train"}, signal.SIGTERM),
    ({"feature_cache": True, "lr_rules": FROZEN}, signal.SIGTERM),
    ({"sampler": {"kind": "by_loss"}}, signal.SIGTERM),
], ids=["plain", "accumulate", "ema", "cached", "by_loss"])
def test_a_run_that_is_asked_to_stop_writes_its_state_and_goes_on_to_the_same_bits(
    packed, make_config, tmp_path, monkeypatch, capsys, stage, number
):
    config = make_config({"epochs": 3, "rounds": 2, **stage})
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))

    def arguments(run):
        return [str(tmp_path / "tiny.yaml"), "--shards", str(packed), "--run-dir", str(tmp_path / run)]

    assert main(arguments("whole")) == 0
    real, asked = StageModule.training_step, []

    def training_step(self, batch, batch_index):
        if self.global_step == 12 and not asked:
            asked.append(os.kill(os.getpid(), number))
        return real(self, batch, batch_index)

    monkeypatch.setattr(StageModule, "training_step", training_step)
    assert main(arguments("cut")) == 143
    said = capsys.readouterr().err
    assert "--resume" in said and "error" not in said
    state = torch.load(tmp_path / "cut" / "stage-1-one.unfinished.ckpt", weights_only=True)
    assert state["global_step"] == 13 and state["StageData"]["batches_done"] > 0  # inside a round
    assert main([*arguments("cut"), "--resume"]) == 0
    whole, cut = (load_checkpoint(tmp_path / run / "final.ckpt") for run in ("whole", "cut"))
    assert torch.equal(whole.centres, cut.centres)
    assert all(torch.equal(value, cut.embedder.state_dict()[n]) for n, value in whole.embedder.state_dict().items())
    assert read_metrics(tmp_path / "cut") == read_metrics(tmp_path / "whole")


def test_faults_are_one_line_and_status_one(packed, config_path, tmp_path, capsys, monkeypatch):
    def no_memory(self, batch, batch_index):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(StageModule, "training_step", no_memory)
    assert main([str(config_path), "--shards", str(packed), "--run-dir", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert said.count("error:") == 1 and "stages.0 (one): out of memory with batches of 8" in said
