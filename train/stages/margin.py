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
    linear_in_angle,
    widen_angles,
)

# (cosines [B, n], columns of the targets [B], class_ids [B], feature norms [B], images seen) -> cosines [B, n].
Apply = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]
# What becomes of the other classes' cosines [n, B]; None: they stay.
Others = Callable[[Tensor], Tensor] | None


class StageMargin(nn.Module):
    """(cosines [B, C], class_ids [B], feature norms [B], images seen) -> float32 cosines [B, C].

    Args:
        apply: see `Apply`; a target's result may depend on no other column if `has_parts`.
        kept: the module whose buffers are this module's, if `apply` has a memory.
        others_of: (target cosines [B]) -> `Others`, asked after `apply`.
        has_parts: whether the margin can be computed where only some columns are at hand; AdaCos measures all.
    """

    def __init__(
        self, apply: Apply, kept: nn.Module | None = None, others_of: Callable[[Tensor], Others] = lambda targets: None,
        has_parts: bool = True,
    ) -> None:
        super().__init__()
        self.kept = kept
        self.apply_to_columns, self.others_of, self.has_parts = apply, others_of, has_parts

    def forward(self, cosines: Tensor, class_ids: Tensor, feature_norms: Tensor, images_seen: int) -> Tensor:
        return self.apply_to_columns(cosines, class_ids, class_ids, feature_norms, images_seen)

    def parts(
        self, targets: Tensor, class_ids: Tensor, feature_norms: Tensor, images_seen: int
    ) -> tuple[Tensor, Others]:
        """The same margin in two parts: target cosines [B] -> those with margin, and what becomes of the others."""
        columns = torch.zeros_like(class_ids)
        lowered = self.apply_to_columns(targets[:, None], columns, class_ids, feature_norms, images_seen)[:, 0]
        return lowered, self.others_of(targets)


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
        return _kept(AdaCos(n_classes, scale), has_parts=False)
    if kind == "curricularface":
        curricular = CurricularFace(rad)
        return _kept(curricular, others_of=curricular.weighting)
    if kind == "adaface":
        return _kept(AdaFace(rad, config.norm_influence))
    plain = {
        "none": lambda cosines, columns: cosines,
        "cosface": lambda cosines, columns: cosface(cosines, columns, cos),
        "li_arcface": lambda cosines, columns: li_arcface(cosines, columns, rad),
        "elastic_arcface": lambda cosines, columns: elastic_arcface(cosines, columns, rad, config.margin_std_rad),
        "elastic_cosface": lambda cosines, columns: elastic_cosface(cosines, columns, cos, config.margin_std_cos),
    }[kind]
    others = linear_in_angle if kind == "li_arcface" else None
    return StageMargin(
        lambda cosines, columns, class_ids, feature_norms, images_seen: plain(cosines, columns),
        others_of=lambda targets: others,
    )


def _kept(module: nn.Module, **how: object) -> StageMargin:
    return StageMargin(
        lambda cosines, columns, class_ids, feature_norms, images_seen: module(cosines, columns, feature_norms),
        kept=module, **how,
    )


def _scheduled_arcface(
    config: MarginConfig, class_rows: np.ndarray, n_classes: int, n_images_per_epoch: int
) -> Apply:
    """ArcFace with the margin of the moment: by class size, growing with the epochs."""
    first: Tensor | float = config.margin_rad
    if config.rare_class_margin_rad is not None:
        n_images_by_class = torch.from_numpy(np.bincount(class_rows, minlength=n_classes))
        first = class_size_margins_rad(
            n_images_by_class, config.margin_rad, config.rare_class_margin_rad, config.class_size_mapping)

    def margin(
        cosines: Tensor, columns: Tensor, class_ids: Tensor, feature_norms: Tensor, images_seen: int
    ) -> Tensor:
        nonlocal first
        grown = config.growth_per_epoch * (images_seen // n_images_per_epoch)
        # Growth stops at max_margin_rad; a margin that starts above it stays where it is.
        if isinstance(first, Tensor):
            first = first.to(class_ids.device)  # moves once: a copy in every step would make it wait
            now = torch.minimum(first + grown, first.clamp(min=config.max_margin_rad))
            return widen_angles(cosines.float(), columns, now[class_ids])
        return arcface(cosines, columns, min(first + grown, max(first, config.max_margin_rad)))

    return margin
