"""Lightning's loop around one stage: what the stage's config says about devices, precision, averaging and rounds."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch

from data_prep.progress import is_watched
from train.config import StageConfig, TrainConfig
from train.lightning_module import StageModule
from train.stages.data import StageData


def fit_module(
    config: TrainConfig, stage: StageConfig, module: StageModule, loaders: StageData,
    callbacks: Sequence[pl.Callback] = (), resume_from: Path | None = None,
) -> None:
    """Train and validate; the scores are then in `module.last_validation`. `resume_from`: a checkpoint of a round."""
    averaging = [] if stage.ema_decay is None else [pl.callbacks.EMAWeightAveraging(decay=stage.ema_decay)]
    trainer = _trainer(config, stage, len(loaders.plan.round_starts), [*averaging, *callbacks])
    trainer.fit(module, datamodule=loaders, ckpt_path=resume_from, weights_only=True)
    if not module.last_validation:  # killed after the last round: only the score is missing
        trainer.validate(module, datamodule=loaders, verbose=False)


def validate_module(config: TrainConfig, stage: StageConfig, module: StageModule, loaders: StageData) -> None:
    """Score the module as it is; `module.last_validation` says the result."""
    _trainer(config, stage, 1, []).validate(module, datamodule=loaders, verbose=False)


def _trainer(config: TrainConfig, stage: StageConfig, n_rounds: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    _quiet_lightning()
    # Deterministic algorithms are wanted; filling every fresh tensor with NaN, which torch adds to them, is not.
    torch.utils.deterministic.fill_uninitialized_memory = False
    return pl.Trainer(
        accelerator=config.accelerator, devices=config.n_devices, num_nodes=config.n_nodes,
        precision=stage.precision, max_epochs=n_rounds, reload_dataloaders_every_n_epochs=1,
        accumulate_grad_batches=stage.accumulate_batches, gradient_clip_val=stage.clip_gradient_norm,
        num_sanity_val_steps=0, logger=False, enable_checkpointing=False, use_distributed_sampler=False,
        enable_model_summary=False, deterministic="warn", callbacks=callbacks,
        enable_progress_bar=is_watched() and any(isinstance(one, pl.callbacks.ProgressBar) for one in callbacks),
    )


def _quiet_lightning() -> None:
    """Leave the progress bar; drop tips, device lists and warnings about what is meant (frozen parts, few workers)."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for meant in (".*in eval mode at the start of training.*", ".*does not have many workers.*", ".*LeafSpec.*"):
        warnings.filterwarnings("ignore", meant)
