"""What is scored and exported: pictures of any size in, unit embeddings out, by one tower or several."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from train.data.preprocessing import PreprocessSpec, frame_image, normalise_batch
from train.model.embedder import Embedder
from train.retrieval.projection import Projection


def projection_layer(fitted: Projection) -> nn.Linear:
    """The linear layer float32 that does what the projection does before unit length."""
    weight, bias = fitted.linear_layer()
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.from_numpy(np.asarray(weight)).to(torch.float32)
    layer.bias.data = torch.from_numpy(np.asarray(bias)).to(torch.float32)
    return layer


def mean_over_views(
    embedder: Embedder, spec: PreprocessSpec, images: Sequence[Image.Image], sizes_px: Tensor
) -> Tensor:
    """RGB images of any size -> unit embeddings float32 [B, D]: the mean over the views, made unit again."""
    device = next(embedder.parameters()).device
    total, n_views = torch.zeros(()), 0
    for frame, flips in spec.frames().items():
        squares = [np.asarray(frame_image(image, frame, spec.fill())) for image in images]
        normalised = normalise_batch(torch.from_numpy(np.stack(squares)).to(device), spec)
        for flip in flips:
            seen = normalised.flip(3) if flip else normalised
            embeddings = embedder(seen, sizes_px.to(device))
            total, n_views = (embeddings if n_views == 0 else total + embeddings), n_views + 1
    return total if n_views == 1 else F.normalize(total, dim=1)


class ImageModel(nn.Module):
    """Towers side by side: each with its own preprocessing and views; their unit embeddings are concatenated.

    Args:
        embedders: the members.
        specs: preprocessing of each.
        weights: of each member's part of the concatenation; None: all 1.
        projection: linear layer from the concatenation [B, sum of widths] to the embedding; None: the concatenation.
    """

    def __init__(
        self, embedders: Sequence[Embedder], specs: Sequence[PreprocessSpec],
        weights: Sequence[float] | None = None, projection: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        if not len(embedders) == len(specs) == len(weights or specs):
            raise ValueError(f"{len(embedders)} embedders, {len(specs)} specs, {len(weights or specs)} weights")
        self.embedders = nn.ModuleList(embedders)
        self.specs = tuple(specs)
        self.weights = tuple(float(weight) for weight in weights or (1.0,) * len(specs))
        self.projection = projection
        self.training = any(embedder.training for embedder in embedders)  # wrapping changes nobody's mode

    def embed(self, images: Sequence[Image.Image], sizes_px: Tensor) -> Tensor:
        """RGB images of any size -> unit embeddings float32 [B, D].

        `sizes_px` float32 [B, 2]: height and width of the original pictures, for heads that look at them.
        """
        return self.join([
            mean_over_views(embedder, spec, images, sizes_px) for embedder, spec in zip(self.embedders, self.specs)
        ])

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Each member's unit embeddings [B, D_m] -> the model's, [B, D]."""
        if len(parts) == 1 and self.projection is None:
            return parts[0]
        joined = torch.cat([weight * part for weight, part in zip(self.weights, parts)], dim=1)
        return F.normalize(joined if self.projection is None else self.projection(joined), dim=1)
