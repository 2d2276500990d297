from types import SimpleNamespace

import pytest
import torch

from train.callbacks import MetricsLog, ProgressLines, RoundCheckpoint
from train.run_log import read_metrics


def trainer_at(step, accumulate=1, **metrics):
    return SimpleNamespace(global_step=step, is_global_zero=True, sanity_checking=False, world_size=1,
                           accumulate_grad_batches=accumulate,
                           callback_metrics={k.replace("_", "/"): torch.tensor(v) for k, v in metrics.items()})


MODULE = SimpleNamespace(objective=SimpleNamespace(images_per_step=32), last_validation={"val/mMP@5": 0.25})


def test_losses_every_so_often_and_every_validation(tmp_path):
    log = MetricsLog(tmp_path, "head", every_steps=4)
    for step in range(1, 9):
        log.on_train_batch_end(trainer_at(step, train_loss=float(step), val_x=1.0), MODULE, None, None, 0)
    log.on_validation_end(trainer_at(8), MODULE)
    rows = read_metrics(tmp_path)
    written = [(r["step"], r["images"], r["value"]) for r in rows]
    assert written == [(1, 32, 1.0), (4, 128, 4.0), (8, 256, 8.0), (8, 256, 0.25)]
    assert {r["name"] for r in rows} == {"train/loss", "val/mMP@5"} and rows[0]["stage"] == "head"


def test_a_step_of_several_batches_has_one_row_its_last_loss(tmp_path):
    log = MetricsLog(tmp_path, "head", every_steps=1)
    for batch in range(7):  # stopped dead inside the third step
        trainer = trainer_at((batch + 1) // 3, accumulate=3, train_loss=float(batch))
        log.on_train_batch_end(trainer, MODULE, None, None, batch)
    assert [(r["step"], r["value"]) for r in read_metrics(tmp_path)] == [(1, 2.0), (2, 5.0)]


def test_other_processes_write_nothing(tmp_path):
    trainer = trainer_at(4, train_loss=1.0)
    trainer.is_global_zero = False
    MetricsLog(tmp_path, "head", 1).on_train_batch_end(trainer, MODULE, None, None, 0)
    assert read_metrics(tmp_path) == []


def test_a_checkpoint_that_fails_half_way_leaves_the_one_before(tmp_path):
    path = tmp_path / "x.unfinished.ckpt"
    trainer = trainer_at(1)
    trainer.save_checkpoint = lambda target: target.write_text("whole")
    RoundCheckpoint(path).on_train_epoch_end(trainer, None)

    def fail(target):
        target.write_text("ha")
        raise OSError("disk full")

    trainer.save_checkpoint = fail
    with pytest.raises(OSError, match="disk full"):
        RoundCheckpoint(path).on_train_epoch_end(trainer, None)
    assert path.read_text() == "whole" and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_log_gets_a_line_now_and_then_and_a_score_a_round(monkeypatch, capsys):
    clock = [100.0]
    monkeypatch.setattr("train.callbacks.time.monotonic", lambda: clock[0])
    lines = ProgressLines(n_steps=20, every_seconds=10.0)
    lines.on_train_start(trainer_at(4), MODULE)  # resumed after step 4
    for step in range(5, 17):
        clock[0] += 3.0
        lines.on_train_batch_end(trainer_at(step, train_loss=float(step)), MODULE, None, None, 0)
    lines.on_validation_end(trainer_at(16), MODULE)
    # 3 s a step: lines at 12, 24 and 36 s after the start; what is left is 12, 8 and 4 steps.
    assert capsys.readouterr().out.splitlines() == [
        "  step 8/20, loss 8.000, 0.6 min left",
        "  step 12/20, loss 12.000, 0.4 min left",
        "  step 16/20, loss 16.000, 0.2 min left",
        "  step 16/20, val mMP@5 0.2500",
    ]
