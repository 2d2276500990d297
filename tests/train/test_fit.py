import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from train.checkpoint import load_checkpoint
from train.fit import main
from train.run_log import read_metrics

ROOT = Path(__file__).parent.parent.parent


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
    assert "known: pocket, quickstart, vith14" in capsys.readouterr().err
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


@pytest.mark.slow
def test_two_processes_train_as_one(packed, make_config, tmp_path):
    """DDP over two CPU processes: the batch is shared out, one run folder, both stages end."""
    config = make_config({}, {"name": "two", "classifier": {"start": "keep", "scale": 16.0}})
    config_path, run_dir = tmp_path / "tiny.yaml", tmp_path / "run"
    config_path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = [sys.executable, "-m", "train.fit", str(config_path), "--shards", str(packed), "--run-dir", str(run_dir),
               "n_devices=2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = read_metrics(run_dir)
    assert (run_dir / "final.ckpt").is_file()
    assert [row["stage"] for row in rows if row["name"] == "val/mMP@5"] == ["one", "two"]
    assert max(row["images"] for row in rows) == 8 * max(row["step"] for row in rows)
