"""What happens between the steps of a stage: numbers to metrics.jsonl, progress, a checkpoint after each round."""

import time
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl

from data_prep.files import writing_atomically
from train.processes import any_says, n_processes
from train.run_log import append_metrics
from train.stopping import STOP, Stopped
from train.tracking import Tracker

_AGREE_EVERY_STEPS = 5  # several processes ask each other so often whether to stop: a millisecond each time


class MetricsLog(pl.Callback):
    """Writes training losses every `every_steps` steps and each validation's scores. Of a step that accumulates
    batches, the losses of its last one.

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
        is_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not is_step or (step % self.every_steps != 0 and step != 1):
            return
        values = {k: v for k, v in trainer.callback_metrics.items() if k.startswith("train/")}
        if trainer.world_size > 1:  # each process has its share of the batch
            values = {k: trainer.strategy.reduce(v.clone(), reduce_op="mean") for k, v in values.items()}
        if trainer.is_global_zero:
            self._write(pl_module, step, values)

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
        write_state(trainer, self.path)


def write_state(trainer, path: Path) -> None:
    """The state of the training under `path` once it is whole. All processes take part, the first one writes."""
    if not trainer.is_global_zero:
        trainer.save_checkpoint(path)
        return
    with writing_atomically(path) as unfinished_path:
        trainer.save_checkpoint(unfinished_path)


class StopBetweenSteps(pl.Callback):
    """Asked to stop, it lets the optimizer step end, writes the state and raises `Stopped`, in all processes at once.

    At the end of a round that waits for the validation, after which `RoundCheckpoint` has written.

    Args:
        path: of the state.
        check: called before anything is written; raises where the state is not worth it.
    """

    def __init__(self, path: Path, check: Callable[[object], None]) -> None:
        self.path = path
        self.check = check

    def on_train_start(self, trainer, pl_module) -> None:
        STOP.waits_for_step = True
        STOP.listen()  # Lightning listens in its own way since a moment ago; it would talk to other GPUs in the handler
        # It also tells all processes after each step whether it has heard something, by waiting for their GPUs.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        loop = trainer.fit_loop.epoch_loop
        is_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        is_asked_for = n_processes() == 1 or trainer.global_step % _AGREE_EVERY_STEPS == 0
        if not is_step or not is_asked_for or loop.batch_progress.is_last_batch or not any_says(STOP.heard):
            return
        self.check(trainer)
        trainer.datamodule.batches_done = batch_idx + 1
        write_state(trainer, self.path)
        raise Stopped

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        if any_says(STOP.heard):
            raise Stopped

    def teardown(self, trainer, pl_module, stage) -> None:
        STOP.waits_for_step = False
