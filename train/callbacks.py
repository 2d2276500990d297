"""What happens between the steps of a stage: numbers to metrics.jsonl, progress, a checkpoint after each round."""

import time
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl

from data_prep.files import writing_atomically
from train.run_log import append_metrics
from train.tracking import Tracker


class MetricsLog(pl.Callback):
    """Writes training losses every `every_steps` steps and each validation's scores.

    Args:
        run_dir: where `metrics.jsonl` is.
        stage: its name.
        every_steps: between two rows of losses.
        open_tracker: opens what the same numbers go to besides; called in the writing process only.
    """

    def __init__(
        self, run_dir: Path, stage: str, every_steps: int, open_tracker: Callable[[], Tracker] | None = None
    ) -> None:
        self.run_dir = run_dir
        self.stage = stage
        self.every_steps = every_steps
        self.open_tracker = open_tracker
        self.tracker: Tracker | None = None

    def on_fit_start(self, trainer, pl_module) -> None:
        if trainer.is_global_zero and self.open_tracker is not None:
            self.tracker = self.open_tracker()

    def on_fit_end(self, trainer, pl_module) -> None:
        if self.tracker is not None:
            self.tracker.close("success")

    def on_exception(self, trainer, pl_module, exception) -> None:
        if self.tracker is not None:  # what was written so far is worth most now
            self.tracker.close("failed")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        step = trainer.global_step
        if trainer.is_global_zero and (step % self.every_steps == 0 or step == 1):
            self._write(pl_module, step, {k: v for k, v in trainer.callback_metrics.items() if k.startswith("train/")})

    def on_validation_end(self, trainer, pl_module) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._write(pl_module, trainer.global_step, pl_module.last_validation)

    def _write(self, pl_module, step: int, values: dict) -> None:
        images = step * pl_module.objective.images_per_step
        append_metrics(self.run_dir, [
            {"stage": self.stage, "step": step, "images": images, "name": name, "value": round(float(value), 6)}
            for name, value in values.items()
        ])
        if self.tracker is not None:
            self.tracker.write(images, values)


class ProgressLines(pl.Callback):
    """Progress for a log file, where Lightning's bar leaves hundreds of states: a line a minute, a score a round.

    Args:
        n_steps: optimizer steps of the whole stage.
        every_seconds: at most one line of losses in this time.
    """

    def __init__(self, n_steps: int, every_seconds: float = 60.0) -> None:
        self.n_steps = n_steps
        self.every_seconds = every_seconds
        self._start = (0.0, 0)  # (seconds, step)
        self._last_seconds = 0.0

    def on_train_start(self, trainer, pl_module) -> None:
        self._start = (time.monotonic(), trainer.global_step)
        self._last_seconds = self._start[0]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        now, step = time.monotonic(), trainer.global_step
        if not trainer.is_global_zero or now - self._last_seconds < self.every_seconds or step == self._start[1]:
            return
        self._last_seconds = now
        seconds_left = (self.n_steps - step) * (now - self._start[0]) / (step - self._start[1])
        loss = float(trainer.callback_metrics["train/loss"])
        print(f"  step {step}/{self.n_steps}, loss {loss:.3f}, {seconds_left / 60:.1f} min left", flush=True)

    def on_validation_end(self, trainer, pl_module) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            score = pl_module.last_validation["val/mMP@5"]
            print(f"  step {trainer.global_step}/{self.n_steps}, val mMP@5 {score:.4f}", flush=True)


class RoundCheckpoint(pl.Callback):
    """After each round (validation included) the whole training state, whole or not at all, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        if trainer.world_size > 1:
            trainer.save_checkpoint(self.path)  # a collective call: every process takes part
            return
        with writing_atomically(self.path) as unfinished_path:
            trainer.save_checkpoint(unfinished_path)
