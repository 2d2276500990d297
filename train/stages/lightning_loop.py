"""Lightning's loop around one stage: what the stage's config says about devices, precision, averaging and rounds."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor

from data_prep.errors import ConfigError
from data_prep.progress import is_watched
from train.checkpoint import stream_content
from train.config import StageConfig, TrainConfig
from train.lightning_module import StageModule
from train.processes import launch_of, local_rank, n_processes, patient_group, rank
from train.stages.data import StageData
from train.stopping import STOP


def join_processes(config: TrainConfig) -> None:
    """Bring the run's processes together: those that torchrun or Slurm has started, or that Lightning starts here.

    After it every process runs the same code and knows its rank (`train/processes.py`). One process: nothing to do.

    Raises:
        ConfigError: a GPU is asked for and there is none; what the launcher started is not what Lightning was told.
    """
    if config.accelerator == "gpu" and not torch.accelerator.is_available():
        raise ConfigError("accelerator=gpu: PyTorch finds no GPU on this machine; accelerator=auto takes one where "
                          "there is one, accelerator=cpu does without")
    if config.n_devices * config.n_nodes == 1:
        return
    _quiet_lightning()
    try:
        trainer = pl.Trainer(
            accelerator=config.accelerator, devices=config.n_devices, num_nodes=config.n_nodes, strategy="ddp",
            plugins=_environment(), logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False)
        trainer.strategy.launcher.launch(lambda: None)
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise ConfigError(f"n_devices={config.n_devices} n_nodes={config.n_nodes}: {error}") from error
    STOP.children = list(trainer.strategy.launcher.procs)
    trainer.strategy.setup_environment()
    STOP.rank, STOP.has_parent = rank(), launch_of(os.environ) is None and local_rank() > 0
    patient_group()


def fit_module(
    config: TrainConfig, stage: StageConfig, module: StageModule, loaders: StageData,
    callbacks: Sequence[pl.Callback] = (), resume_from: Path | None = None,
) -> None:
    """Train and validate; the scores are then in `module.last_validation`. `resume_from`: a state written inside the
    stage."""
    averaging = []
    if stage.ema_decay is not None:
        averaging = [pl.callbacks.WeightAveraging(avg_fn=moving_average(stage.ema_decay))]
    module.make_optimizer()  # freezes what the rules freeze: DDP and FSDP must know it before they look at the module
    module.is_sharded = config.strategy == "fsdp" and n_processes() > 1
    trainer = _trainer(config, stage, len(loaders.plan.round_starts), [*averaging, *callbacks])
    trainer.fit(module, datamodule=loaders, ckpt_path=resume_from, weights_only=True)
    if not module.last_validation:  # stopped after the last round: only the score is missing
        for one in averaging:  # without a step to take Lightning does not end the training either
            one.on_train_end(trainer, module)
        # Without callbacks: the rows of this score were written before the state was.
        validate_module(config, stage, module, loaders)


def moving_average(decay: float) -> Callable[[Tensor, Tensor, int | Tensor], Tensor]:
    """(average, current value, n averaged) -> decay * average + (1 - decay) * current value, all of one shape.

    A value that does not change stays as it is, to the bit, which the formula alone does not do: the features of a
    frozen tower are kept under the hash of its weights. Whole numbers are not averaged: the current ones are taken.
    """
    def average_of(average: Tensor, current: Tensor, n_averaged: int | Tensor) -> Tensor:
        if not current.is_floating_point():
            return current
        return torch.where(average == current, average, torch.lerp(average, current, 1.0 - decay))

    return average_of


def validate_module(config: TrainConfig, stage: StageConfig, module: StageModule, loaders: StageData) -> None:
    """Score the module as it is; `module.last_validation` says the result."""
    _trainer(config, stage, 1, []).validate(module, datamodule=loaders, verbose=False)


def _trainer(config: TrainConfig, stage: StageConfig, n_rounds: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    _quiet_lightning()
    # Deterministic algorithms are wanted; filling every fresh tensor with NaN, which torch adds to them, is not.
    torch.utils.deterministic.fill_uninitialized_memory = False
    return pl.Trainer(
        accelerator=config.accelerator, devices=config.n_devices, num_nodes=config.n_nodes,
        strategy=_strategy(config), plugins=[StreamedStates(), *_environment()],
        precision=stage.precision, max_epochs=n_rounds, reload_dataloaders_every_n_epochs=1,
        accumulate_grad_batches=stage.accumulate_batches, gradient_clip_val=stage.clip_gradient_norm,
        num_sanity_val_steps=0, logger=False, enable_checkpointing=False, use_distributed_sampler=False,
        enable_model_summary=False, deterministic="warn", callbacks=callbacks,
        enable_progress_bar=is_watched() and any(isinstance(one, pl.callbacks.ProgressBar) for one in callbacks),
    )


def _strategy(config: TrainConfig) -> str | pl.strategies.Strategy:
    """How several processes train one model; a single one needs nothing of the kind."""
    if n_processes() == 1:
        return "auto"
    if config.strategy == "ddp":
        return DDPStrategy(gradient_as_bucket_view=True)
    return ModelParallelStrategy(
        data_parallel_size=n_processes(), tensor_parallel_size=1, save_distributed_checkpoint=False)


class StreamedStates(TorchCheckpointIO):
    """States that go to their file as they are written. Lightning builds the whole file in memory first: 7.5 GB beside
    the 10 GB that training a ViT-H/14 takes."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write under `path`, which may be left incomplete: see `write_state`."""
        stream_content(Path(path), checkpoint)


def _environment() -> list[SLURMEnvironment]:
    """Lightning's own choice, but under srun without its requeueing: see `train/stopping.py`."""
    launch = launch_of(os.environ)
    return [SLURMEnvironment(auto_requeue=False)] if launch is not None and launch.by == "Slurm" else []


def _quiet_lightning() -> None:
    """Leave the progress bar; drop tips, device lists and warnings about what is meant (frozen parts, few workers)."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for meant in (".*in eval mode at the start of training.*", ".*does not have many workers.*", ".*LeafSpec.*",
                  ".*ended before the epoch ended and your dataloader is not resumable.*", ".*`srun` command is.*",
                  ".*WeightAveraging doesn't support sharding.*", ".*recommended to use .self.log.*sync_dist=True.*"):
        warnings.filterwarnings("ignore", meant)
