"""The classification loss: softmax cross-entropy over scaled cosines that carry a margin."""

import torch
from torch import Tensor
from torch.nn import functional


def margin_softmax_loss(
    cosines_with_margin: Tensor,
    class_ids: Tensor,
    scale: float,
    label_smoothing: float = 0.0,
    class_mask: Tensor | None = None,
    focal_gamma: float = 0.0,
) -> Tensor:
    """Mean cross-entropy of softmax(scale * cosines), in float32.

    With `focal_gamma`, each image's loss is multiplied by (1 - p) ** focal_gamma, p being its target's share in the
    softmax: images that are right already count less (focal loss, arXiv 1708.02002; 10th place of GUIEC).

    Args:
        cosines_with_margin: [B, C], from a function of `margins`.
        class_ids: [B] int64, the target column of each row.
        scale: factor on the cosines before the softmax (1 / temperature); the challenge's entrants used 30.
        label_smoothing: share of the target's weight that is spread evenly over the competing classes, the
            target among them, in 0..1.
        class_mask: bool [C] or [B, C], True where a class competes; None: all compete. With it, one table of
            centres serves as separate classifiers, one a domain.
        focal_gamma: 0 for plain cross-entropy.

    Returns:
        Scalar.

    Raises:
        ValueError: a mask of another type or shape, or one that leaves out the target of an image.
    """
    logits = scale * cosines_with_margin.float()
    if class_mask is None and focal_gamma == 0.0:
        return functional.cross_entropy(logits, class_ids, label_smoothing=label_smoothing)
    mask = torch.ones_like(logits, dtype=torch.bool) if class_mask is None else _checked_mask(class_mask, logits)
    if not mask.gather(1, class_ids[:, None]).all():
        raise ValueError(
            "class_mask leaves out the target class of at least one image: its loss would be infinite"
        )
    log_shares = logits.masked_fill(~mask, -torch.inf).log_softmax(dim=1)  # [B, C]
    target_loss = -log_shares.gather(1, class_ids[:, None])[:, 0]
    even_loss = None
    if label_smoothing > 0.0:
        even_loss = -log_shares.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1)
    return weighted_mean(target_loss, even_loss, label_smoothing, focal_gamma)


def weighted_mean(
    target_losses: Tensor, even_losses: Tensor | None, label_smoothing: float, focal_gamma: float
) -> Tensor:
    """Mean over the images, with label smoothing and the focal weight.

    Args:
        target_losses: [B], -log of the target's share in the softmax.
        even_losses: [B], mean of -log share over the competing classes; not read without label smoothing.
        label_smoothing, focal_gamma: as for `margin_softmax_loss`.
    """
    losses = target_losses
    if label_smoothing > 0.0:
        losses = (1.0 - label_smoothing) * target_losses + label_smoothing * even_losses
    if focal_gamma > 0.0:
        # 1 - p by expm1: near p = 1 the difference of two floats would lose its digits. The floor keeps the slope of
        # a power below 1 finite where p rounds to 1.
        losses = losses * (-torch.expm1(-target_losses)).clamp(min=1e-12) ** focal_gamma
    return losses.mean()


def _checked_mask(class_mask: Tensor, logits: Tensor) -> Tensor:
    """bool [C] or [B, C] -> bool [B, C]."""
    n_images, n_classes = logits.shape
    if class_mask.dtype != torch.bool or class_mask.shape not in ((n_classes,), (n_images, n_classes)):
        raise ValueError(
            f"class_mask: expected bool of shape [{n_classes}] or [{n_images}, {n_classes}], "
            f"got {class_mask.dtype} {list(class_mask.shape)}"
        )
    return class_mask.expand(n_images, n_classes)
