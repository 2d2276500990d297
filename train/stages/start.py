"""Where training starts from: the tower off the shelf, the first embedder, the teacher's features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data_prep.errors import ConfigError
from train.config import StageConfig, TrainConfig
from train.cpu_settings import settle_cpus
from train.data.feature_cache import cached_features
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader
from train.model.backbones import Backbone, BackboneSpec, build_backbone
from train.model.embedder import Embedder, build_embedder
from train.model.heads import start_as_pca
from train.processes import local_rank


def starting_backbone(config: TrainConfig, image_px: int, patch_stride: int | None = None) -> Backbone:
    """The tower with the weights that training starts from (off the shelf).

    Raises:
        ConfigError: `weights: file:KEY` without that key under `weight_files`; what `build_backbone` raises.
    """
    weights = config.backbone.weights
    if weights is not None and weights.startswith("file:"):
        key = weights.removeprefix("file:")
        if key not in config.weight_files:
            raise ConfigError(f"backbone.weights: no file under weight_files for key {key!r}; "
                              f"known: {', '.join(sorted(config.weight_files)) or 'none'}; "
                              f"give it as weight_files.{key}=/path/to/weights")
        weights = f"file:{config.weight_files[key]}"
    stride = patch_stride or config.backbone.patch_stride
    tower = config.backbone
    return build_backbone(BackboneSpec(
        tower.kind, tower.arch, weights, image_px, stride, output=tower.output, narrow_width=tower.narrow_width))


def preprocess_of(backbone: Backbone, image_px: int, resize: str) -> PreprocessSpec:
    """The tower's own statistics at the given size."""
    return PreprocessSpec(image_px, tuple(backbone.mean), tuple(backbone.std), resize)


def start_embedder(
    config: TrainConfig, stage: StageConfig, reader: ShardReader, cache_dir: Path, backbone: Backbone | None = None
) -> tuple[Embedder, dict]:
    """The embedder before any training and its head's description; a PCA head is fitted on the train samples.

    `backbone`: the tower of `starting_backbone`, where it is built already.
    """
    backbone = backbone or starting_backbone(config, stage.image_px, stage.patch_stride)
    return with_start_head(config, backbone, stage.image_px, reader, cache_dir, stage.precision)


def with_start_head(
    config: TrainConfig, backbone: Backbone, image_px: int, reader: ShardReader, cache_dir: Path,
    precision: str = "32-true",
) -> tuple[Embedder, dict]:
    """The tower under the head that the config starts with, and the head's description; `precision`: of the features
    that a PCA head is fitted on."""
    embedder = build_embedder(backbone, head_spec := config.head.to_spec())
    if config.head.init == "pca":
        to_device(backbone, config.accelerator)
        if config.head.init_images_per_domain is not None:
            reader = reader.subset(pick_of_each_domain(reader, config.head.init_images_per_domain, config.seed))
        spec = preprocess_of(backbone, image_px, config.resize)
        features = cached_features(backbone, reader, spec, cache_dir, None, loading_processes(config), precision)
        features = torch.from_numpy(np.array(features))
        start_as_pca(embedder.head, features, config.head.init_whitening, config.head.init_length)
    return embedder, head_spec


def pick_of_each_domain(reader: ShardReader, n_images: int, seed: int) -> np.ndarray:
    """Sample indices, rising: at most so many of each domain, at random."""
    domains = reader.table.domains
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(domains == domain) for domain in sorted(set(domains))]
    return np.sort(np.concatenate([rng.permutation(own)[:n_images] for own in rows]))


def teacher_features(
    config: TrainConfig, stage: StageConfig, reader: ShardReader, cache_dir: Path
) -> np.ndarray:
    """float32 [N, width]: wide features of the starting tower for every training sample, cached on disk."""
    image_px = stage.distillation.teacher_image_px or stage.image_px
    backbone = starting_backbone(config, image_px)
    to_device(backbone, config.accelerator)
    spec = preprocess_of(backbone, image_px, config.resize)
    return cached_features(backbone, reader, spec, cache_dir, None, loading_processes(config), stage.precision)


def set_resolution(backbone: Backbone, image_px: int, patch_stride: int | None) -> None:
    """Fit a transformer's position grid to the stage's image size and patch stride; other towers take any size.

    Raises:
        ConfigError: a stride for a tower that keeps its own, with which its checkpoint could not be read again.
    """
    stride = patch_stride or backbone.spec.patch_stride
    if stride is not None and backbone.kind != "open_clip":
        raise ConfigError(f"backbone {backbone.arch!r}: patch_stride {stride} is for open_clip towers; a "
                          f"{backbone.kind} tower keeps its own, expected null")
    if backbone.kind == "open_clip":
        from train.model.backbones.open_clip_tower import set_position_grid

        set_position_grid(backbone.tower, image_px, stride)
    elif backbone.kind == "timm":
        from train.model.backbones import timm_tower

        timm_tower.set_position_grid(backbone.tower, image_px)
    backbone.spec = replace(backbone.spec, image_px=image_px, patch_stride=stride)


def set_gradient_checkpointing(backbone: Backbone, on: bool) -> None:
    """Whether the tower keeps only each block's input for the way back and computes the rest again.

    Raises:
        ConfigError: a tower that cannot.
    """
    if hasattr(backbone.tower, "set_grad_checkpointing"):
        backbone.tower.set_grad_checkpointing(on)
    elif on:
        raise ConfigError(f"gradient_checkpointing: tower {backbone.arch!r} has no blocks to do it for; expected "
                          "gradient_checkpointing: false, or a tower of open_clip or timm")


def to_device(module: torch.nn.Module, accelerator: str) -> None:
    """To this process's GPU if there is one and the config allows it; channels_last, which convolutions like best."""
    device = f"cuda:{local_rank()}" if _uses_gpu(accelerator) else "cpu"
    module.to(device=device, memory_format=torch.channels_last)


def loading_processes(config: TrainConfig) -> int:
    """How many processes load images beside each that trains; this one gets its share of threads."""
    return settle_cpus(config.n_workers, _uses_gpu(config.accelerator), config.n_devices)


def _uses_gpu(accelerator: str) -> bool:
    return accelerator != "cpu" and torch.cuda.is_available()
