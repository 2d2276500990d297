"""The model that is trained, averaged, saved and exported: tower, head, unit length."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Embedder(nn.Module):
    """Normalised images [B, 3, H, W] -> unit embeddings float32 [B, out_dim]."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def features(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width], as the tower gives them."""
        return self.backbone(images)

    def project(self, features: Tensor) -> Tensor:
        """[B, width] -> unit embeddings float32 [B, out_dim], whatever the autocast type."""
        return F.normalize(self.project_raw(features), dim=1)

    def project_raw(self, features: Tensor) -> Tensor:
        """[B, width] -> float32 [B, out_dim] before they are made unit, for losses that look at their length."""
        return self.head(features).to(torch.float32)

    def forward(self, images: Tensor) -> Tensor:
        return self.project(self.features(images))
