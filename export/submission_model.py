"""What the host runs: raw image in, unit embedding out, preprocessing included."""

import torch
from torch import Tensor, nn

from export.pil_resize import shortest_crop, squash
from train.data.preprocessing import PreprocessSpec
from train.model.embedder import size_numbers


class SubmissionModel(nn.Module):
    """uint8 [1, 3, H, W] of any size -> float32 [1, out_dim], unit length.

    Also takes larger batches of one size, images without the batch axis, one channel, and floats in 0..255 or
    0..1. The input is moved to wherever the model's weights are, because the host may move neither. Every
    operator after the resize sees one fixed shape, so that images of ever new sizes compile nothing anew.
    """

    def __init__(
        self, tower: nn.Module, head: nn.Module, preprocess: PreprocessSpec, tall_first: bool,
        image_sizes: bool = False,
    ) -> None:
        super().__init__()
        self.image_sizes = image_sizes  # the head sees the raw image's height and width, as `Embedder` says
        self.image_px = preprocess.image_px
        self.crop = preprocess.resize == "shortest_crop"
        self.tall_first = tall_first  # which Pillow's resize is followed, see export/pil_resize.py
        self.register_buffer("mean", torch.tensor(preprocess.mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocess.std, dtype=torch.float32).view(1, 3, 1, 1))
        self.tower = tower
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        # contiguous(): PIL's pixels arrive with the channels last in memory, which 1.11's kernels need not
        # handle well.
        pixels = image.to(device=self.mean.device, dtype=torch.float32).contiguous()
        if pixels.dim() == 3:
            pixels = pixels.unsqueeze(0)
        if image.is_floating_point() and float(image.max()) <= 1.0:
            pixels = pixels * 255.0
        height_px, width_px = pixels.size(2), pixels.size(3)
        if self.crop:
            pixels = shortest_crop(pixels, self.image_px, self.tall_first)
        else:
            pixels = squash(pixels, self.image_px, self.tall_first)
        features = self.tower((pixels / 255.0 - self.mean) / self.std)
        if self.image_sizes:
            sizes_px = torch.tensor([[float(height_px), float(width_px)]], device=features.device)
            numbers = size_numbers(sizes_px).to(features.dtype).expand(features.size(0), -1)
            features = torch.cat([features, numbers], dim=1)
        embedding = self.head(features)
        # Not norm(): scripted by a new torch it asks for operators that 1.11 lacks.
        length = torch.sqrt(torch.sum(embedding * embedding, dim=1, keepdim=True))
        return embedding / torch.clamp(length, min=1e-12)
