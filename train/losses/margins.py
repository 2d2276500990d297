"""Margins: the target cosine of each image is lowered, so that its class must win by more than it needs to.

A margin takes cosines [B, C] and class ids [B] and gives float32 cosines [B, C]; the loss is in
`margin_softmax`.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

# acos has an infinite slope at +-1. This keeps angles 0.0014 rad (0.08 degrees) away from both ends.
COSINE_EPS = 1e-6


def arcface(cosines: Tensor, class_ids: Tensor, margin_rad: float | Tensor) -> Tensor:
    """Additive angular margin: the target's cos(theta) becomes cos(theta + margin).

    Beyond theta = pi - margin that cosine would rise again, so from there on it is cos(theta) - margin *
    sin(margin): the result falls all the way to theta = pi. Source: ArcFace, arXiv 1801.07698; the
    continuation is the one of insightface and pytorch-metric-learning.

    Args:
        cosines: [B, C] in -1..1, any float type.
        class_ids: [B] int64, the target column of each row.
        margin_rad: one margin in radians, or one a class [C].

    Returns:
        float32 [B, C]; only the target columns differ from the input. The gradient is finite everywhere, and
        zero where a target lies within 1e-6 of -1 or 1.

    Raises:
        ValueError: a margin tensor whose shape is not [C].
    """
    cosines = cosines.float()
    return widen_angles(cosines, class_ids, margin_of_each_row(margin_rad, class_ids, cosines.shape[1]))


def widen_angles(cosines: Tensor, class_ids: Tensor, margins: Tensor) -> Tensor:
    """ArcFace of float32 cosines with margins [] or [B] in radians, one a row."""
    angles = target_angles(cosines, class_ids)  # [B]
    beyond = torch.cos(angles) - margins * torch.sin(margins)
    with_margin = torch.where(angles <= math.pi - margins, torch.cos(angles + margins), beyond)
    return cosines.scatter(1, class_ids[:, None], with_margin[:, None])


def cosface(cosines: Tensor, class_ids: Tensor, margin_cos: float | Tensor) -> Tensor:
    """Additive cosine margin: the target's cosine is lowered by `margin_cos`.

    Source: CosFace, arXiv 1801.09414.

    Args:
        cosines: [B, C] in -1..1, any float type.
        class_ids: [B] int64, the target column of each row.
        margin_cos: one margin in units of the cosine, or one a class [C].

    Returns:
        float32 [B, C]; only the target columns differ from the input.

    Raises:
        ValueError: a margin tensor whose shape is not [C].
    """
    cosines = cosines.float()
    margins = margin_of_each_row(margin_cos, class_ids, cosines.shape[1])
    targets = cosines.gather(1, class_ids[:, None])[:, 0]  # [B]
    return cosines.scatter(1, class_ids[:, None], (targets - margins)[:, None])


def target_angles(cosines: Tensor, class_ids: Tensor) -> Tensor:
    """[B] angles in radians between each embedding and its class, 0.0014 away from both ends."""
    targets = cosines.float().gather(1, class_ids[:, None])[:, 0]  # [B]
    return torch.acos(targets.clamp(-1.0 + COSINE_EPS, 1.0 - COSINE_EPS))


def li_arcface(cosines: Tensor, class_ids: Tensor, margin_rad: float) -> Tensor:
    """Logits linear in the angle: (pi - 2 theta) / pi, and (pi - 2 (theta + margin)) / pi for the target.

    Source: Li-ArcFace, arXiv 1907.12256.

    Args:
        cosines: [B, C] in -1..1, any float type.
        class_ids: [B] int64, the target column of each row.
        margin_rad: margin in radians.

    Returns:
        float32 [B, C] in -1..1, below it for targets near the opposite pole; every column differs from the input.
    """
    margins = torch.zeros_like(cosines, dtype=torch.float32).scatter(1, class_ids[:, None], margin_rad)
    return linear_in_angle(cosines) - 2.0 * margins / math.pi


def linear_in_angle(cosines: Tensor) -> Tensor:
    """Cosines of any shape -> float32 (pi - 2 theta) / pi: what Li-ArcFace makes of the other classes."""
    return 1.0 - 2.0 * torch.acos(cosines.float().clamp(-1.0 + COSINE_EPS, 1.0 - COSINE_EPS)) / math.pi


def elastic_arcface(cosines: Tensor, class_ids: Tensor, margin_rad: float, std_rad: float) -> Tensor:
    """ArcFace whose margin is drawn for each image from a normal distribution. Source: arXiv 2109.09416.

    Args:
        cosines: [B, C]; class_ids: [B] int64.
        margin_rad, std_rad: mean and standard deviation of the margin in radians, drawn from torch's global generator.

    Returns:
        float32 [B, C]; only the target columns differ from the input.
    """
    return widen_angles(cosines.float(), class_ids, _drawn_margins(class_ids, margin_rad, std_rad))


def elastic_cosface(cosines: Tensor, class_ids: Tensor, margin_cos: float, std_cos: float) -> Tensor:
    """CosFace whose margin is drawn for each image, as in `elastic_arcface`, in units of the cosine."""
    cosines = cosines.float()
    lowered = cosines.gather(1, class_ids[:, None]) - _drawn_margins(class_ids, margin_cos, std_cos)[:, None]
    return cosines.scatter(1, class_ids[:, None], lowered)


def class_size_margins_rad(
    n_images_by_class: Tensor | Sequence[int], low_rad: float, high_rad: float,
    mapping: Literal["power", "cosine"] = "power", power: float = -0.25,
) -> Tensor:
    """Margins that grow as classes get rarer: `high_rad` for the smallest class, `low_rad` for the largest.

    Between them, `power`: linear in n_images ** power (the 4th and 6th places of GUIEC, after arXiv 2010.05350);
    `cosine`: half a cosine wave over n_images (UniFEx, arXiv 2409.13513, `src/model/head.py` of morrisfl/UniFEx). Where
    all classes have the same size, each gets `low_rad`.

    >>> class_size_margins_rad([1, 16, 256], low_rad=0.1, high_rad=0.4)
    tensor([0.4000, 0.2000, 0.1000])
    >>> class_size_margins_rad([1, 3, 5], low_rad=0.2, high_rad=0.6, mapping="cosine")
    tensor([0.6000, 0.4000, 0.2000])

    Args:
        n_images_by_class: [C] images of each class, indexed by class id, each at least 1.
        low_rad, high_rad: smallest and largest margin in radians, 0 <= low <= high < pi.
        mapping: `power` or `cosine`.
        power: for `power`: negative; -1/4 is what the entrants used.

    Returns:
        float32 [C] in radians.

    Raises:
        ValueError: a class without images, margins out of range, an unknown mapping, a power that is not negative.
    """
    if not 0.0 <= low_rad <= high_rad < math.pi:
        raise ValueError(
            f"class-size margins: need 0 <= low_rad <= high_rad < pi, got {low_rad} and {high_rad}"
        )
    if mapping not in ("power", "cosine"):
        raise ValueError(f"class-size margins: no mapping {mapping!r}; known: cosine, power")
    if power >= 0.0:
        raise ValueError(
            f"class-size margins: power must be negative (rarer class, larger margin), got {power}"
        )
    n_images = _checked_counts(n_images_by_class)
    rarity = n_images**power if mapping == "power" else -n_images  # [C]
    span = rarity.max() - rarity.min()
    share = (rarity - rarity.min()) / span if span > 0 else torch.zeros_like(rarity)
    if mapping == "cosine":
        share = 0.5 * (1.0 - torch.cos(math.pi * share))
    return (low_rad + share * (high_rad - low_rad)).float()


def _checked_counts(n_images_by_class: Tensor | Sequence[int]) -> Tensor:
    """float64 [C], each at least 1."""
    n_images = torch.as_tensor(n_images_by_class, dtype=torch.float64)
    if n_images.ndim != 1 or n_images.numel() == 0:
        raise ValueError(f"class-size margins: expected counts of shape [C], got {list(n_images.shape)}")
    if n_images.min() < 1:
        empty = torch.nonzero(n_images < 1)[:5, 0].tolist()
        raise ValueError(f"class-size margins: every class needs an image, none in class ids {empty}")
    return n_images


def _drawn_margins(class_ids: Tensor, mean: float, std: float) -> Tensor:
    # Drawn on the CPU: the same seed gives the same margins on every device.
    return torch.normal(mean, std, (len(class_ids),)).to(class_ids.device)


def margin_of_each_row(margin: float | Tensor, class_ids: Tensor, n_classes: int) -> Tensor:
    """One number or [C] -> [] or [B], float32 where the class ids are."""
    if not isinstance(margin, Tensor):
        return torch.tensor(margin, dtype=torch.float32, device=class_ids.device)
    if margin.shape != (n_classes,):
        raise ValueError(
            f"margin: expected one number or shape [{n_classes}] (one a class), got {list(margin.shape)}"
        )
    return margin.to(device=class_ids.device, dtype=torch.float32)[class_ids]
