"""Margins with a memory: what they keep lies in buffers, so that a resumed stage goes on with the same values.

Each module takes cosines [B, C], class ids [B] and the lengths [B] of the embeddings before they were made unit, and
gives float32 cosines [B, C] for `margin_softmax_loss`. Statistics move in training mode only; with several devices
they are those of each device's own rows, and rank 0's are the ones that are kept.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from data_prep.errors import ConfigError
from train.losses.margins import arcface, target_angles


class AdaCos(nn.Module):
    """No margin; the softmax scale follows the classes and the median angle. Source: AdaCos, arXiv 1905.00292.

    The first scale is sqrt(2) * log(C - 1). The cosines returned carry scale / `base_scale`, so that the loss, which
    multiplies by `base_scale`, ends at the adapted scale.

    Args:
        n_classes: C, at least 3: with two the formula starts at zero.
        base_scale: the factor that the loss applies.

    Raises:
        ConfigError: fewer than three classes.
    """

    def __init__(self, n_classes: int, base_scale: float) -> None:
        super().__init__()
        if n_classes < 3:
            raise ConfigError(f"margin adacos: expected 3 or more classes, got {n_classes}: its scale would be 0")
        self.base_scale = base_scale
        self.register_buffer("scale", torch.tensor(math.sqrt(2.0) * math.log(n_classes - 1)))

    def forward(self, cosines: Tensor, class_ids: Tensor, feature_norms: Tensor) -> Tensor:
        cosines = cosines.float()
        if self.training:
            self._adapt(cosines.detach(), class_ids)
        return cosines * (self.scale / self.base_scale)

    def _adapt(self, cosines: Tensor, class_ids: Tensor) -> None:
        others = (self.scale * cosines).scatter(1, class_ids[:, None], -torch.inf)
        log_mean_sum = others.flatten().logsumexp(0) - math.log(len(cosines))
        angle = target_angles(cosines, class_ids).median().clamp(max=math.pi / 4)
        self.scale.copy_(log_mean_sum / torch.cos(angle))


class CurricularFace(nn.Module):
    """ArcFace's margin, and hard other classes weighted more as training goes on. Source: arXiv 2004.00288.

    A class nearer than the target with its margin has cosine c * (t + c). t is a moving mean of the target cosines,
    from 0.

    Args:
        margin_rad: of the target, in radians.
        momentum: share of the new batch in t.
    """

    def __init__(self, margin_rad: float, momentum: float = 0.01) -> None:
        super().__init__()
        self.margin_rad = margin_rad
        self.momentum = momentum
        self.register_buffer("t", torch.tensor(0.0))

    def forward(self, cosines: Tensor, class_ids: Tensor, feature_norms: Tensor) -> Tensor:
        cosines = cosines.float()
        targets = cosines.gather(1, class_ids[:, None])  # [B, 1]
        if self.training:
            self.t.lerp_(targets.detach().mean(), self.momentum)
        adjusted = self.weighting(targets[:, 0])(cosines.T).T
        return adjusted.scatter(1, class_ids[:, None], self._with_margin(cosines, class_ids))

    def weighting(self, targets: Tensor) -> Callable[[Tensor], Tensor]:
        """Target cosines [B] without margin -> what the other classes' cosines [n, B] become, with t as it is now."""
        targets, t = targets.detach().float(), self.t.clone()
        # The comparison is with cos(theta + margin) itself, also beyond pi - margin, as in the authors' code.
        angles = target_angles(targets[:, None], torch.zeros_like(targets, dtype=torch.long))
        bar = torch.cos(angles + self.margin_rad)
        return lambda cosines: torch.where(cosines > bar, cosines * (t + cosines), cosines)

    def _with_margin(self, cosines: Tensor, class_ids: Tensor) -> Tensor:
        return arcface(cosines, class_ids, self.margin_rad).gather(1, class_ids[:, None])


class AdaFace(nn.Module):
    """The margin of each image depends on how long its embedding is, a sign of its quality. Source: arXiv 2204.00964.

    With z = (length - mean) / std * `norm_influence`, cut to -1..1, the target's cosine is
    cos(theta - margin * z) - margin * (1 + z), the angle kept 0.001 rad inside 0..pi. Mean and standard deviation are
    moving ones. They start at the first batch's; the authors' start (20 and 100) belongs to face networks.

    Args:
        margin: radians in the angular term and cosine units in the additive one: the paper has one number for both.
        norm_influence: h of the paper.
        momentum: share of the new batch in the moving statistics.
    """

    def __init__(self, margin: float, norm_influence: float = 0.333, momentum: float = 0.01) -> None:
        super().__init__()
        self.margin = margin
        self.norm_influence = norm_influence
        self.momentum = momentum
        self.register_buffer("norm_mean", torch.tensor(0.0))
        self.register_buffer("norm_std", torch.tensor(0.0))
        self.register_buffer("is_started", torch.tensor(False))

    def forward(self, cosines: Tensor, class_ids: Tensor, feature_norms: Tensor) -> Tensor:
        cosines = cosines.float()
        norms = feature_norms.detach().float().clamp(0.001, 100.0)
        if self.training:
            self._follow(norms)
        z = ((norms - self.norm_mean) / (self.norm_std + 1e-3) * self.norm_influence).clamp(-1.0, 1.0)  # [B]
        angles = (target_angles(cosines, class_ids) - self.margin * z).clamp(1e-3, math.pi - 1e-3)
        targets = torch.cos(angles) - self.margin * (1.0 + z)
        return cosines.scatter(1, class_ids[:, None], targets[:, None])

    def _follow(self, norms: Tensor) -> None:
        share = self.momentum if self.is_started else 1.0
        self.norm_mean.lerp_(norms.mean(), share)
        self.norm_std.lerp_(norms.std(correction=1) if len(norms) > 1 else torch.zeros_like(self.norm_std), share)
        self.is_started.fill_(True)
