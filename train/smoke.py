"""The smoke form of a config: every stage, rule and loss of the recipe, on a narrow tower and a handful of images.

It shows in seconds on any machine that a recipe runs from its first stage to its exported file. It says nothing about
scores. Depth and parameter names of the tower stay, so that learning-rate rules are tried on the names they are for.
"""

import re
from collections.abc import Sequence

from train.config import ScheduleConfig, StageConfig, TrainConfig, ViewConfig
from train.model_config import BackboneConfig, HeadConfig

NARROW_WIDTH = 72  # above the 64 axes that a PCA to the challenge's width needs
BATCH_SIZE = 8
STEPS = 2
SMALLEST_CONV_PX, CONV_STEP_PX = 32, 16  # convolutional towers, which have no patches


def smoke_form(config: TrainConfig, mixture: str, sources: Sequence[str]) -> TrainConfig:
    """The recipe in small, to be run on any packed mixture.

    Kept: stages and their order, what each trains, losses, margins, samplers, optimizers, classifiers, heads, the order
    of image sizes and patch strides. Changed: the tower is narrow and random (a convolutional one keeps its width),
    images have a few patches a side, a stage is `STEPS` optimizer steps of `BATCH_SIZE` images, everything runs on the
    CPU in float32. Sources that the mixture does not have are replaced by its first one.

    Args:
        mixture: name of the packed mixture.
        sources: those that it has.
    """
    sizes = sorted({(stage.image_px, _stride(config, stage) or 0) for stage in config.stages})
    px_by_size = {size: _small_px(config.backbone, number, size[1]) for number, size in enumerate(sizes)}
    stages = tuple(
        _small_stage(stage, px_by_size[stage.image_px, _stride(config, stage) or 0], sources)
        for stage in config.stages
    )
    smallest_px = _small_px(config.backbone, 0, config.backbone.patch_stride or 0)
    small_export_px = stages[-1].image_px if stages else smallest_px
    return config.model_copy(update={
        "name": f"smoke_{config.name}",
        "mixture": mixture,
        "backbone": _small_tower(config.backbone),
        "head": _small_head(config),
        "weight_files": {},
        "stages": stages,
        "export_image_px": None if config.export_image_px is None else small_export_px,
        "views": tuple(_small_view(view, small_export_px, _export_px(config)) for view in config.views),
        "n_workers": 0,
        "n_devices": 1,
        "n_nodes": 1,
        "strategy": "ddp",
        "accelerator": "cpu",
    })


def _export_px(config: TrainConfig) -> int:
    return config.export_image_px or config.stages[-1].image_px


def _small_view(view: ViewConfig, small_px: int, export_px: int) -> ViewConfig:
    """The same view, its size to the small export size as the recipe's is to the recipe's."""
    if view.image_px is None:
        return view
    return view.model_copy(update={"image_px": max(1, round(small_px * view.image_px / export_px))})


def _stride(config: TrainConfig, stage: StageConfig) -> int | None:
    return stage.patch_stride or config.backbone.patch_stride


def _small_head(config: TrainConfig) -> HeadConfig:
    """An identity is as wide as the narrow tower, and one that starts as its main axes has no more of them; others
    stay."""
    head = config.head
    too_wide = head.init == "pca" and head.out_dim > NARROW_WIDTH
    if _patch_px(config.backbone) is None or not (head.kind == "identity" or too_wide):
        return head
    return head.model_copy(update={"out_dim": NARROW_WIDTH})


def _small_tower(backbone: BackboneConfig) -> BackboneConfig:
    if _patch_px(backbone) is None:  # what has to be fetched or brought stays away
        has_own = (backbone.weights or "").startswith("package:")
        return backbone if has_own else backbone.model_copy(update={"weights": None})
    return backbone.model_copy(update={"weights": None, "narrow_width": NARROW_WIDTH})


def _patch_px(backbone: BackboneConfig) -> int | None:
    """Patch size as the architecture's name says it (`ViT-H-14`, `vit_base_patch16_224`); None without patches."""
    said = re.search(r"ViT-[A-Za-z]+-(\d+)|patch(\d+)", backbone.arch)
    return int(said[1] or said[2]) if said else None


def _small_px(backbone: BackboneConfig, number: int, stride: int) -> int:
    """The recipe's smallest images have 2 patches a side, the next larger ones 3, and so on."""
    patch_px = _patch_px(backbone)
    if patch_px is None:
        return SMALLEST_CONV_PX + CONV_STEP_PX * number
    return patch_px + (stride or patch_px) * (1 + number)


def _small_stage(stage: StageConfig, image_px: int, sources: Sequence[str]) -> StageConfig:
    own = None
    if stage.sources is not None:
        own = tuple(source for source in stage.sources if source in sources) or (sources[0],)
    sampler = stage.sampler
    if sampler.steps_by_source is not None:
        sampler = sampler.model_copy(update={"steps_by_source": dict.fromkeys(own or sources, 1)})
    accumulate_batches = min(stage.accumulate_batches, 2)
    images = STEPS * BATCH_SIZE * accumulate_batches
    return stage.model_copy(update={
        "sources": own,
        "sampler": sampler,
        "image_px": image_px,
        "epochs": None,
        "images": images,
        "batch_size": BATCH_SIZE,
        "accumulate_batches": accumulate_batches,
        "schedule": _small_schedule(stage.schedule, images),
        "precision": "32-true",
        "rounds": min(stage.rounds, 2),
    })


def _small_schedule(schedule: ScheduleConfig, images: int) -> ScheduleConfig:
    """The same kind in a stage of so many images: a warm-up is half of it at most, drops come before its first step."""
    has_warmup = schedule.warmup_images > 0 or schedule.warmup_epochs is not None
    return schedule.model_copy(update={
        "warmup_images": min(schedule.warmup_images or images, images // 2) if has_warmup else 0,
        "warmup_epochs": None,
        "drop_at_epochs": tuple(1e-6 * (number + 1) for number in range(len(schedule.drop_at_epochs))),
    })
