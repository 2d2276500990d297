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
) -> Tensor:
    """Mean cross-entropy of softmax(scale * cosines), in float32.

    Args:
        cosines_with_margin: [B, C], from a function of `margins`.
        class_ids: [B] int64, the target column of each row.
        scale: factor on the cosines before the softmax (1 / temperature); the challenge's entrants used 30.
        label_smoothing: share of the target's weight that is spread evenly over the competing classes, the
            target among them, in 0..1.
        class_mask: bool [C] or [B, C], True where a class competes; None: all compete. With it, one table of
            centres serves as separate classifiers, one a domain.

    Returns:
        Scalar.

    Raises:
        ValueError: a mask of another type or shape, or one that leaves out the target of an image.
    """
    logits = scale * cosines_with_margin.float()
    if class_mask is None:
        return functional.cross_entropy(logits, class_ids, label_smoothing=label_smoothing)
    mask = _checked_mask(class_mask, logits)
    if not mask.gather(1, class_ids[:, None]).all():
        raise ValueError(
            "class_mask leaves out the target class of at least one image: its loss would be infinite"
        )
    log_shares = logits.masked_fill(~mask, -torch.inf).log_softmax(dim=1)  # [B, C]
    target_loss = -log_shares.gather(1, class_ids[:, None])[:, 0]
    if label_smoothing == 0.0:
        return target_loss.mean()
    even_loss = -log_shares.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1)
    return ((1.0 - label_smoothing) * target_loss + label_smoothing * even_loss).mean()


def _checked_mask(class_mask: Tensor, logits: Tensor) -> Tensor:
    """bool [C] or [B, C] -> bool [B, C]."""
    n_images, n_classes = logits.shape
    if class_mask.dtype != torch.bool or class_mask.shape not in ((n_classes,), (n_images, n_classes)):
        raise ValueError(
            f"class_mask: expected bool of shape [{n_classes}] or [{n_images}, {n_classes}], "
            f"got {class_mask.dtype} {list(class_mask.shape)}"
        )
    return class_mask.expand(n_images, n_classes)
