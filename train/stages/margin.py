"""The margin a stage's config asks for, as one module whatever its kind."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from train.loss_config import MarginConfig
from train.losses.adaptive_margins import AdaCos, AdaFace, CurricularFace
from train.losses.margins import (
    arcface,
    class_size_margins_rad,
    cosface,
    elastic_arcface,
    elastic_cosface,
    li_arcface,
)


class StageMargin(nn.Module):
    """(cosines [B, C], class_ids [B], feature norms [B], images seen) -> float32 cosines [B, C].

    Args:
        apply: (cosines, class_ids, feature norms, images seen) -> cosines; where it is a module (without images
            seen), its buffers are this module's.
    """

    def __init__(self, apply: Callable[[Tensor, Tensor, Tensor, int], Tensor] | nn.Module) -> None:
        super().__init__()
        self.kept = apply if isinstance(apply, nn.Module) else None
        self.apply_plain = None if isinstance(apply, nn.Module) else apply

    def forward(self, cosines: Tensor, class_ids: Tensor, feature_norms: Tensor, images_seen: int) -> Tensor:
        if self.kept is not None:
            return self.kept(cosines, class_ids, feature_norms)
        return self.apply_plain(cosines, class_ids, feature_norms, images_seen)


def build_margin(
    config: MarginConfig, class_rows: np.ndarray, n_classes: int, n_images_per_epoch: int, scale: float
) -> StageMargin:
    """The margin of a stage; `scale` is the loss's factor on the cosines.

    Raises:
        ConfigError: AdaCos with fewer than three classes.
    """
    kind, rad, cos = config.kind, config.margin_rad, config.margin_cos
    if kind == "arcface":
        return StageMargin(_scheduled_arcface(config, class_rows, n_classes, n_images_per_epoch))
    if kind == "adacos":
        return StageMargin(AdaCos(n_classes, scale))
    if kind == "curricularface":
        return StageMargin(CurricularFace(rad))
    if kind == "adaface":
        return StageMargin(AdaFace(rad, config.norm_influence))
    plain = {
        "none": lambda cosines, ids: cosines,
        "cosface": lambda cosines, ids: cosface(cosines, ids, cos),
        "li_arcface": lambda cosines, ids: li_arcface(cosines, ids, rad),
        "elastic_arcface": lambda cosines, ids: elastic_arcface(cosines, ids, rad, config.margin_std_rad),
        "elastic_cosface": lambda cosines, ids: elastic_cosface(cosines, ids, cos, config.margin_std_cos),
    }[kind]
    return StageMargin(lambda cosines, class_ids, feature_norms, images_seen: plain(cosines, class_ids))


def _scheduled_arcface(
    config: MarginConfig, class_rows: np.ndarray, n_classes: int, n_images_per_epoch: int
) -> Callable[[Tensor, Tensor, Tensor, int], Tensor]:
    """ArcFace with the margin of the moment: by class size, growing with the epochs."""
    first: Tensor | float = config.margin_rad
    if config.rare_class_margin_rad is not None:
        n_images_by_class = torch.from_numpy(np.bincount(class_rows, minlength=n_classes))
        first = class_size_margins_rad(
            n_images_by_class, config.margin_rad, config.rare_class_margin_rad, config.class_size_mapping)

    def margin(cosines: Tensor, class_ids: Tensor, feature_norms: Tensor, images_seen: int) -> Tensor:
        nonlocal first
        grown = config.growth_per_epoch * (images_seen // n_images_per_epoch)
        # Growth stops at max_margin_rad; a margin that starts above it stays where it is.
        if isinstance(first, Tensor):
            first = first.to(cosines.device)  # moves once: a copy in every step would make it wait
            return arcface(cosines, class_ids, torch.minimum(first + grown, first.clamp(min=config.max_margin_rad)))
        return arcface(cosines, class_ids, min(first + grown, max(first, config.max_margin_rad)))

    return margin
