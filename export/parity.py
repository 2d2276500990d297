"""Does the file give what the model gives? PIL and the eager model against raw pixels through the archive."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from export.contract import MIN_COSINE, CheckResult
from train.model.image_model import ImageModel


@dataclass(frozen=True)
class Parity:
    """The check, the cosine between both embeddings of each image, and the mean cosine between different
    images.

    The last says how much the others mean: 0.9999 is little where all images lie within 0.9999 of each other.
    """

    check: CheckResult
    cosines: tuple[float, ...]
    mean_cosine_between_images: float | None

    def to_dict(self) -> dict:
        """Plain values for `export.json`."""
        return {
            "n_images": len(self.cosines),
            "cosine_min": min(self.cosines),
            "cosine_mean": sum(self.cosines) / len(self.cosines),
            "cosine_required": MIN_COSINE,
            "mean_cosine_between_images": self.mean_cosine_between_images,
        }


def check_parity(path: Path, eager: ImageModel, images: list[Image.Image]) -> Parity:
    """Embed each RGB image both ways and compare; `eager` must be in evaluation mode.

    Raises:
        ValueError: no images, or a model in training mode (its batch norm would follow these images).
    """
    if not images or eager.training:
        raise ValueError(f"check_parity: {len(images)} images, eager.training is {eager.training}")
    model = torch.jit.load(str(path), map_location="cpu").eval()
    with torch.no_grad():
        expected = torch.cat([_eager(eager, image) for image in images])
        got = torch.cat([model(_raw(image)[None]) for image in images])
    if got.shape != expected.shape:
        detail = f"got shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
        return Parity(CheckResult("parity", False, detail), (0.0,) * len(images), None)
    cosines = tuple((got * expected).sum(dim=1).tolist())  # both sides have unit length
    between = _mean_between(expected)
    # The comparison is written so that a cosine of nan fails.
    ok = all(cosine >= MIN_COSINE for cosine in cosines)
    detail = f"cosine {min(cosines):.7f} at least over {len(images)} images, required {MIN_COSINE}"
    if between is not None:
        detail += f"; between different images {between:.4f} on average"
    return Parity(CheckResult("parity", ok, detail), cosines, between)


def _eager(eager: ImageModel, image: Image.Image) -> Tensor:
    """float32 [1, out_dim] by PIL and the model itself."""
    sizes_px = torch.tensor([[image.height, image.width]], dtype=torch.float32)
    return eager.embed([image], sizes_px).to("cpu", torch.float32)


def _mean_between(embeddings: Tensor) -> float | None:
    """Mean cosine over pairs of different images, [N, D] -> number; None for a single image."""
    n_images = len(embeddings)
    if n_images < 2:
        return None
    cosines = embeddings @ embeddings.T
    return float((cosines.sum() - cosines.diagonal().sum()) / (n_images * (n_images - 1)))


def _raw(image: Image.Image) -> Tensor:
    """RGB image -> uint8 [3, H, W] in its own size, channels last in memory, as the host feeds it."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1)
