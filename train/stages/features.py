"""The cached features that a stage with a frozen tower trains and validates on."""

from pathlib import Path

import numpy as np
from torch import nn

from train.config import AugmentationConfig, FeatureCacheConfig, StageConfig
from train.data.feature_cache import AugmentedViews, cached_features
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader


def stage_features(
    stage: StageConfig, tower: nn.Module, readers: tuple[ShardReader, ShardReader], spec: PreprocessSpec,
    cache_dir: Path, n_workers: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Of the training samples float32 [N, width], or [n_views, N, width]; of the validation samples [M, width]."""
    training, validation = readers
    return (
        cached_features(tower, training, spec, cache_dir, views_of(stage), n_workers, stage.precision),
        cached_features(tower, validation, spec, cache_dir, None, n_workers, stage.precision),
    )


def views_of(stage: StageConfig) -> AugmentedViews | None:
    """The augmented views that the stage's config asks for; None: the images as they are."""
    if not isinstance(stage.feature_cache, FeatureCacheConfig):
        return None
    return augmented_views(stage.feature_cache.views, stage.augmentation)


def augmented_views(n_views: int, changes: AugmentationConfig) -> AugmentedViews:
    """So many of each image, as the config's `augmentation` says."""
    return AugmentedViews(n_views, changes.preset, changes.min_crop_scale, changes.horizontal_flip)


def first_view(features: np.ndarray) -> np.ndarray:
    """[N, width] of [N, width], or of [n_views, N, width]."""
    return features[0] if features.ndim == 3 else features
