"""What TensorBoard is told, and what is refused."""

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data_prep.errors import ConfigError
from train.run_log import append_metrics
from train.tracking import Tracker, check_trackers, images_before


def row(stage, images):
    return {"stage": stage, "step": images // 8, "images": images, "name": "train/loss", "value": 1.0}


def scalars(run_dir, tag):
    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    return [(event.step, round(event.value, 4)) for event in events.Scalars(tag)]


def test_the_axis_goes_on_from_stage_to_stage(tmp_path):
    append_metrics(tmp_path, [row("head", 80), row("head", 160), row("all", 40), row("sharper", 8)])
    assert [images_before(tmp_path, stage) for stage in ("head", "all", "sharper", "new")] == [0, 160, 200, 208]
    for stage, images in (("head", 160), ("all", 40)):
        tracker = Tracker(["tensorboard"], tmp_path, "run", {"seed": 0}, stage, 0)
        tracker.write(images, {"train/loss": 0.5, "val/mMP@5": 0.25})
        tracker.close("success")
    assert scalars(tmp_path, "train/loss") == [(160, 0.5), (200, 0.5)]
    assert scalars(tmp_path, "val/mMP@5") == [(160, 0.25), (200, 0.25)]


def test_a_resumed_stage_drops_what_lay_behind_its_checkpoint(tmp_path):
    first = Tracker(["tensorboard"], tmp_path, "run", {}, "head", 0)
    for images in (8, 16, 24):
        first.write(images, {"train/loss": 1.0})
    first.close("failed")
    again = Tracker(["tensorboard"], tmp_path, "run", {}, "head", 16)
    again.write(24, {"train/loss": 2.0})
    again.close("success")
    assert scalars(tmp_path, "train/loss") == [(8, 1.0), (16, 1.0), (24, 2.0)]


def test_no_tracker_leaves_nothing(tmp_path):
    tracker = Tracker([], tmp_path, "run", {}, "head", 0)
    tracker.write(8, {"train/loss": 1.0})
    tracker.close("success")
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_installed_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr("train.tracking.find_spec", lambda kind: None if kind == "mlflow" else "found")
    check_trackers(["tensorboard", "wandb"])
    with pytest.raises(ConfigError, match="tracking: mlflow is not installed; pip install mlflow"):
        check_trackers(["wandb", "mlflow"])


@pytest.mark.parametrize("kind", ["wandb", "mlflow"])
def test_the_stages_of_a_folder_share_one_run(kind, tmp_path, monkeypatch):
    """Offline, where the package is installed."""
    pytest.importorskip(kind)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    ids = set()
    for stage in ("head", "all"):
        tracker = Tracker([kind], tmp_path, "run", {"seed": 0}, stage, 0)
        tracker.write(8, {"train/loss": 1.0})
        tracker.close("success")
        append_metrics(tmp_path, [row(stage, 8)])
        ids.add(json.loads(Path(tmp_path / "tracking.json").read_text())[kind])
    assert len(ids) == 1
    if kind == "mlflow":
        import mlflow

        history = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").get_metric_history(ids.pop(), "train/loss")
        assert [(point.step, point.value) for point in history] == [(8, 1.0), (16, 1.0)]
