"""A loss that is no number stops the run, names the images and leaves the last good checkpoint alone."""

from collections.abc import Callable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from data_prep.errors import TrainingError
from train.processes import any_says, hear_all, known_to_all

_KEYS_SHOWN = 8


class FiniteLoss(pl.Callback):
    """Notes the first batch whose loss is NaN or infinite, on the device; looks at the note every `every_steps`.

    Noting is a few comparisons in the device's own queue: the CPU does not wait for it. It waits once in `every_steps`
    steps, before each validation and before a checkpoint is written, so a checkpoint is never that of a broken run.

    Args:
        stage: its name, for the message.
        keys: name of each training sample.
        every_steps: optimizer steps between two looks.
        last_good: says where the last good state is.
    """

    def __init__(self, stage: str, keys: np.ndarray, every_steps: int, last_good: Callable[[], str]) -> None:
        self.stage = stage
        self.keys = keys
        self.every_steps = every_steps
        self.last_good = last_good
        self._noted: dict[str, Tensor] = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self._note(trainer.global_step, outputs["loss"], batch["indices"], pl_module.finite_rows)
        if trainer.global_step % self.every_steps == 0:
            self.check(trainer)

    def on_validation_start(self, trainer, pl_module) -> None:
        if self._noted:
            self.check(trainer)
            self._check_weights(trainer, pl_module)

    def _note(self, step: int, loss: Tensor, indices: Tensor, finite_rows: Tensor) -> None:
        """Keep step, samples and which of their embeddings are finite, of the first bad batch alone."""
        now = {"bad": ~torch.isfinite(loss.detach()), "step": torch.full_like(indices[:1], step),
               "indices": indices, "finite": finite_rows}
        if self._noted:
            was_bad = self._noted["bad"]
            now = {name: torch.where(was_bad, self._noted[name], value) for name, value in now.items()}
        self._noted = now

    def check(self, trainer) -> None:
        """Raises TrainingError, in every process, where one of them has noted a bad loss."""
        if not self._noted or not any_says(bool(self._noted["bad"])):
            return
        noted = {name: value.cpu().numpy() for name, value in self._noted.items()}
        own = (int(noted["step"][0]), self.keys[noted["indices"]].tolist(), noted["finite"].tolist())
        found = [one for one in hear_all(own if noted["bad"] else None) if one is not None]
        first = min(step for step, _, _ in found)
        of_first = [(key, good) for step, keys, finite in found if step == first for key, good in zip(keys, finite)]
        raise known_to_all(TrainingError(self._message(first, trainer.global_step, of_first)))

    def _check_weights(self, trainer, pl_module) -> None:
        """A finite loss whose update was not: only the weights tell."""
        trained = [p for p in pl_module.parameters() if p.requires_grad]
        local = [p.to_local() if hasattr(p, "to_local") else p for p in trained]
        finite = torch.stack([torch.isfinite(p.detach()).all() for p in local]).all()
        if any_says(not bool(finite)):
            raise known_to_all(TrainingError(
                f"stage {self.stage!r}, step {trainer.global_step}: weights are NaN or infinite after the last update; "
                f"{self._advice()}"))

    def _message(self, step: int, step_now: int, rows: list[tuple[str, bool]]) -> str:
        bad = [key for key, good in rows if not good]
        if 0 < len(bad) < len(rows):
            who = f"the embeddings of {len(bad)} of {len(rows)} images are not finite: {_listed(bad)}"
        elif bad:
            who = ("no embedding of the batch is finite, so weights were broken before it (a learning rate too high "
                   f"rather than an image): {_listed(bad)}")
        else:
            who = f"every embedding of the batch is finite, the loss over them is not: {_listed([k for k, _ in rows])}"
        return (f"stage {self.stage!r}, step {step}: the loss is NaN or infinite (noticed at step {step_now}); {who}; "
                f"{self._advice()}")

    def _advice(self) -> str:
        return (f"last good checkpoint: {self.last_good()}. Lower optimizer.lr, lengthen the warm-up or give "
                "clip_gradient_norm in a new --run-dir, or look at these images")


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
    return ", ".join(keys[:_KEYS_SHOWN]) + more
