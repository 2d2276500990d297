"""What the host runs: raw image in, unit embedding out, preprocessing, views and several towers included."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from export.pil_resize import pad_square, shortest_crop, squash
from train.data.preprocessing import Frame, PreprocessSpec
from train.model.embedder import size_numbers


def unit(embedding: Tensor) -> Tensor:
    """[B, D] -> unit length; a row of zeros, or with a value that is not finite, becomes zeros."""
    is_finite = torch.isfinite(embedding).all(dim=1, keepdim=True)
    embedding = torch.where(is_finite, embedding, torch.zeros_like(embedding))
    # Very long and very short rows too: their squares leave the range of float32.
    embedding = embedding / torch.clamp(embedding.abs().amax(dim=1, keepdim=True), min=1e-30)
    # Not norm(): scripted by a new torch it asks for operators that 1.11 lacks.
    length = torch.sqrt(torch.sum(embedding * embedding, dim=1, keepdim=True))
    return embedding / torch.clamp(length, min=1e-12)


def with_stand_in(embedding: Tensor) -> Tensor:
    """Unit rows [B, D], zeros where an image gave no embedding -> the same with D times 1 / sqrt(D) in those.

    A host that computes distances would otherwise meet NaN, which may end the whole scoring for one image.
    """
    is_missing = (embedding == 0.0).all(dim=1, keepdim=True)
    return torch.where(is_missing, torch.full_like(embedding, embedding.size(1) ** -0.5), embedding)


class FrameViews(nn.Module):
    """The normalised views of one frame. `square` makes the frame's square of grey levels, `forward` cuts it.

    Every operator after the resize sees one fixed shape, so that images of ever new sizes compile nothing anew.
    """

    def __init__(self, preprocess: PreprocessSpec, frame: Frame, tall_first: bool) -> None:
        super().__init__()
        self.image_px = frame.image_px
        self.resized_px = frame.resized_px
        self.top_px, self.left_px = frame.top_left_px
        self.resize = frame.resize
        self.tall_first = tall_first  # which Pillow's resize is followed, see export/pil_resize.py
        self.flips = list(preprocess.frames()[frame])
        self.register_buffer("mean", torch.tensor(preprocess.mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocess.std, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("fill", torch.tensor(preprocess.fill(), dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, square: Tensor) -> Tensor:
        """Whole grey levels [B, C, R, R] -> the views, [n_flips * B, 3, S, S]."""
        bottom_px, right_px = self.top_px + self.image_px, self.left_px + self.image_px
        seen = square[:, :, self.top_px : bottom_px, self.left_px : right_px]
        normalised = (seen / 255.0 - self.mean) / self.std
        return torch.cat([torch.flip(normalised, [3]) if flip else normalised for flip in self.flips])

    @torch.jit.export
    def square(self, pixels: Tensor) -> Tensor:
        """Raw pixels [B, C, H, W] in 0..255 -> float32 [B, C, R, R], whole grey levels."""
        if self.resize == "shortest_crop":
            return shortest_crop(pixels, self.resized_px, self.tall_first)
        if self.resize == "pad":
            return pad_square(pixels, self.resized_px, self.tall_first, self.fill)
        return squash(pixels, self.resized_px, self.tall_first)


class SizeModel(nn.Module):
    """Raw pixels [B, 3, H, W] -> sum over the views of one size of unit embeddings [B, D].

    The views go through the tower as one batch: on the host's GPU that is faster than one after the other. Frames that
    are cut out of the same square share its resize.

    Args:
        tower, head: normalised images [N, 3, S, S] -> features -> embeddings [N, D].
        frames: of one size.
        image_sizes: the head sees the raw image's height and width, as `Embedder` says.
    """

    def __init__(
        self, tower: nn.Module, head: nn.Module, frames: Sequence[FrameViews], image_sizes: bool = False
    ) -> None:
        super().__init__()
        self.image_sizes = image_sizes
        self.n_views = sum(len(frame.flips) for frame in frames)
        frames = sorted(frames, key=lambda frame: (frame.resize, frame.resized_px))
        squares = [(frame.resize, frame.resized_px) for frame in frames]
        self.needs_resize = [number == 0 or squares[number] != squares[number - 1] for number in range(len(frames))]
        self.frames = nn.ModuleList(frames)
        self.tower = tower
        self.head = head

    def forward(self, pixels: Tensor) -> Tensor:
        views: list[Tensor] = []
        square = pixels
        for number, frame in enumerate(self.frames):
            if self.needs_resize[number]:
                square = frame.square(pixels)
            views.append(frame(square))
        features = self.tower(torch.cat(views))
        if self.image_sizes:
            sizes_px = torch.tensor([[float(pixels.size(2)), float(pixels.size(3))]], device=features.device)
            numbers = size_numbers(sizes_px).to(features.dtype).expand(features.size(0), -1)
            features = torch.cat([features, numbers], dim=1)
        embeddings = unit(self.head(features))
        return embeddings.view(self.n_views, pixels.size(0), embeddings.size(1)).sum(dim=0)


class MemberModel(nn.Module):
    """Raw pixels [B, 3, H, W] -> the mean over all views of one member, unit length, times `weight`."""

    def __init__(self, sizes: Sequence[SizeModel], weight: float = 1.0) -> None:
        super().__init__()
        self.sizes = nn.ModuleList(sizes)
        self.one_view = sum(size.n_views for size in sizes) == 1
        self.weight = weight

    def forward(self, pixels: Tensor) -> Tensor:
        sums: list[Tensor] = []
        for size in self.sizes:
            sums.append(size(pixels))
        embedding = sums[0]
        for other in sums[1:]:
            embedding = embedding + other
        if not self.one_view:
            embedding = unit(embedding)
        return embedding * self.weight


class SubmissionModel(nn.Module):
    """uint8 [1, 3, H, W] of any size -> float32 [1, out_dim], unit length, finite whatever the tower gives.

    Also takes larger batches of one size, images without the batch axis, one channel, and floats in 0..255 or
    0..1. A view or tower whose embedding is zero or not finite does not count; an image without any other gets a fixed
    unit vector (`with_stand_in`). The input is moved to wherever the model's weights are, because the host may move
    neither.

    Args:
        members: their embeddings are concatenated.
        projection: from the concatenation to the embedding; None: the concatenation.
    """

    def __init__(self, members: Sequence[MemberModel], projection: nn.Module | None = None) -> None:
        super().__init__()
        self.is_joined = len(members) > 1 or projection is not None or members[0].weight != 1.0
        self.register_buffer("place", torch.zeros(1))  # where the weights are
        self.members = nn.ModuleList(members)
        self.projection = nn.Identity() if projection is None else projection

    def forward(self, image: Tensor) -> Tensor:
        pixels = image.to(device=self.place.device)
        if pixels.dtype != torch.uint8:  # whose conversion waits for the resize, which takes large images in parts
            pixels = pixels.to(torch.float32)
        if pixels.dim() == 3:
            pixels = pixels.unsqueeze(0)
        if image.is_floating_point():
            pixels = torch.clamp(pixels * 255.0 if float(image.max()) <= 1.0 else pixels, 0.0, 255.0)
        parts: list[Tensor] = []
        for member in self.members:
            parts.append(member(pixels))
        embedding = self.projection(torch.cat(parts, dim=1))
        if self.is_joined:
            embedding = unit(embedding)
        return with_stand_in(embedding)
