"""What happens between the steps of a stage: numbers to metrics.jsonl, and a checkpoint after each round."""

from pathlib import Path

import pytorch_lightning as pl

from data_prep.files import writing_atomically
from train.run_log import append_metrics


class MetricsLog(pl.Callback):
    """Writes training losses every `every_steps` steps and each validation's scores."""

    def __init__(self, run_dir: Path, stage: str, every_steps: int) -> None:
        self.run_dir = run_dir
        self.stage = stage
        self.every_steps = every_steps

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
