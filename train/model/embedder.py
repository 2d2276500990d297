"""The model that is trained, averaged, saved and exported: tower, head, unit length."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.model.heads import build_head, with_projection

N_SIZE_NUMBERS = 3


def size_numbers(sizes_px: Tensor) -> Tensor:
    """Height and width of the original images, float32 [B, 2] -> height / width, height / 224, width / 224: [B, 3].

    Source: 5th place of GUIEC, which gave them to its head beside the features (about +0.003).
    """
    heights, widths = sizes_px[:, :1], sizes_px[:, 1:]
    return torch.cat([heights / widths, heights / 224.0, widths / 224.0], dim=1)


def build_embedder(backbone: nn.Module, head_spec: Mapping) -> "Embedder":
    """The embedder that a checkpoint's `head` describes: what `build_head` takes, `image_sizes`, and `projection` (its
    `out_dim` and what it comes `after`: `raw` or `unit`)."""
    spec = dict(head_spec)
    image_sizes = spec.pop("image_sizes", False)
    width = backbone.width + (N_SIZE_NUMBERS if image_sizes else 0)
    projection = spec.pop("projection", None)
    head = build_head(width=width, **spec)
    if projection is not None:
        head = with_projection(head, spec["out_dim"], projection["out_dim"], projection["after"])
    return Embedder(backbone, head, image_sizes)


class Embedder(nn.Module):
    """Normalised images [B, 3, H, W] -> unit embeddings float32 [B, out_dim].

    Args:
        backbone: images -> features [B, width].
        head: features -> embedding.
        image_sizes: the head also sees the original images' sizes (`size_numbers`), so every call needs them:
            `sizes_px` float32 [B, 2], height and width before any resize. Without it they are not looked at.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, image_sizes: bool = False) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.image_sizes = image_sizes

    def features(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width], as the tower gives them."""
        return self.backbone(images)

    def head_input(self, features: Tensor, sizes_px: Tensor | None = None) -> Tensor:
        """[B, width] -> what the head sees: the same, or [B, width + 3] with the image sizes.

        Raises:
            ValueError: no sizes where the head needs them.
        """
        if not self.image_sizes:
            return features
        if sizes_px is None:
            raise ValueError("this embedder's head needs sizes_px: height and width of each original image")
        return torch.cat([features, size_numbers(sizes_px).to(features)], dim=1)

    def project(self, features: Tensor, sizes_px: Tensor | None = None) -> Tensor:
        """[B, width] -> unit embeddings float32 [B, out_dim], whatever the autocast type."""
        return F.normalize(self.project_raw(features, sizes_px), dim=1)

    def project_raw(self, features: Tensor, sizes_px: Tensor | None = None) -> Tensor:
        """[B, width] -> float32 [B, out_dim] before they are made unit, for losses that look at their length."""
        return self.head(self.head_input(features, sizes_px)).to(torch.float32)

    def forward(self, images: Tensor, sizes_px: Tensor | None = None) -> Tensor:
        return self.project(self.features(images), sizes_px)
