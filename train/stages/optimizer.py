"""Optimizer and learning-rate schedule of a stage, over ordered learning-rate rules."""

from collections.abc import Iterable, Sequence

import torch
from torch.nn import Parameter

from data_prep.errors import ConfigError
from train.config import ScheduleConfig, StageConfig
from train.optim.param_groups import build_param_groups, decay_by_depth
from train.optim.sam import SAM
from train.optim.schedule import Schedule
from train.processes import is_cut_up


def build_optimizer(
    stage: StageConfig, named_parameters: Iterable[tuple[str, Parameter]], n_images: int, n_images_per_epoch: int,
    layer_groups: Sequence[Sequence[str]] = (),
) -> dict:
    """What Lightning's `configure_optimizers` returns: the optimizer and a schedule stepped with it.

    `n_images` is the length of the stage, `n_images_per_epoch` that of one pass over its data.
    `layer_groups`: the tower's own parameter names from input to output, for layer-wise decay.

    Raises:
        ConfigError: what `build_param_groups` and `Schedule` raise; a tower that trains in a stage on cached features.
    """
    options = stage.optimizer
    depth_scales = decay_by_depth(layer_groups, options.layer_decay, "backbone.")
    named_parameters = list(named_parameters)
    groups = build_param_groups(named_parameters, stage.lr_rules, options.lr, options.weight_decay, depth_scales)
    trained = [name for name, p in named_parameters if stage.feature_cache and p.requires_grad]
    if any(name.startswith("backbone.") for name in trained):
        raise ConfigError(f"stage {stage.name!r}: feature_cache needs the whole tower frozen; {trained[0]} is not")
    optimizer = _optimizer(stage, groups)
    factor = _schedule(stage.schedule, n_images, n_images_per_epoch)
    images_per_step = stage.batch_size * stage.accumulate_batches
    # A step has the rate of its end: with a warm-up from 0 the first would otherwise do nothing. The only step of a
    # stage that falls to 0 by its end has the rate of its middle, for the same reason.
    is_idle = n_images <= images_per_step and factor(images_per_step) == 0
    into_step = n_images / 2 if is_idle else images_per_step
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step * images_per_step + into_step))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _optimizer(stage: StageConfig, groups: list[dict]) -> torch.optim.Optimizer:
    """One kernel for all parameters of a group where torch has one: on CPUs and CUDA devices; not for weights that are
    cut up over processes (there is none for SGD), and not under the loss scaler of 16-mixed, whose scale Lightning does
    not hand to it."""
    options = stage.optimizer
    parameters = [parameter for group in groups for parameter in group["params"]]
    devices = {parameter.device.type for parameter in parameters}
    fused = devices <= {"cpu", "cuda"} and stage.precision != "16-mixed" and not is_cut_up(parameters)
    if options.kind == "sam":
        return SAM(groups, options.rho)
    if options.kind == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=options.momentum, fused=fused)
    else:
        kind = torch.optim.AdamW if options.kind == "adamw" else torch.optim.Adam
        optimizer = kind(groups, fused=fused)
    # Without a scaler there is nothing to unscale; Lightning would refuse to clip gradients for fear of it.
    optimizer._step_supports_amp_scaling = False
    return optimizer


def _schedule(config: ScheduleConfig, n_images: int, n_images_per_epoch: int) -> Schedule:
    """The config's epochs in images; a warm-up longer than the stage is the whole stage."""
    warmup_images = config.warmup_images
    if config.warmup_epochs is not None:
        warmup_images = config.warmup_epochs * n_images_per_epoch
    every = config.drop_every_epochs
    return Schedule(
        config.kind, n_images, min(warmup_images, n_images), config.warmup_start, config.final_scale,
        tuple(epoch * n_images_per_epoch for epoch in config.drop_at_epochs),
        None if every is None else every * n_images_per_epoch, config.drop_factor,
    )
