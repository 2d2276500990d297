"""How an image becomes the tower's input: one description that training, validation and export share."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data_prep.errors import ConfigError


@dataclass(frozen=True)
class PreprocessSpec:
    """Size, statistics and resize rule; travels in the checkpoint.

    `squash` ignores the aspect ratio; `shortest_crop` makes the shorter side `image_px`, then cuts the centre square.
    `mean` and `std` are for pixels in 0..1.
    """

    image_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["squash", "shortest_crop"] = "squash"

    def to_dict(self) -> dict:
        """Plain values for JSON, YAML and checkpoints."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @staticmethod
    def from_dict(values: dict) -> "PreprocessSpec":
        """The inverse of `to_dict`; unknown resize rules are errors."""
        if values["resize"] not in ("squash", "shortest_crop"):
            raise ConfigError(f"preprocess: no resize rule {values['resize']!r}; known: shortest_crop, squash")
        return PreprocessSpec(values["image_px"], tuple(values["mean"]), tuple(values["std"]), values["resize"])


def resize_image(image: Image.Image, spec: PreprocessSpec) -> Image.Image:
    """RGB image of any size -> RGB square of `image_px`, PIL's antialiased bicubic."""
    size_px = spec.image_px
    if spec.resize == "squash":
        return image.resize((size_px, size_px), Image.Resampling.BICUBIC)
    width_px, height_px = image.size
    # int(), not round(): the rule of torchvision's Resize, which the field's towers were scored with.
    if width_px <= height_px:
        resized = image.resize((size_px, int(size_px * height_px / width_px)), Image.Resampling.BICUBIC)
    else:
        resized = image.resize((int(size_px * width_px / height_px), size_px), Image.Resampling.BICUBIC)
    left = round((resized.width - size_px) / 2)
    top = round((resized.height - size_px) / 2)
    return resized.crop((left, top, left + size_px, top + size_px))


def preprocess(image: Image.Image, spec: PreprocessSpec) -> Tensor:
    """RGB image of any size -> float32 [3, image_px, image_px], normalised."""
    pixels = np.array(resize_image(image, spec), dtype=np.uint8)  # a copy: PIL's own buffer is read-only
    return normalise_batch(torch.from_numpy(pixels)[None], spec)[0]


def normalise_batch(pixels: Tensor, spec: PreprocessSpec) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in channels_last memory, with the tower's statistics."""
    images = pixels.permute(0, 3, 1, 2).to(torch.float32)  # the permuted view of NHWC is channels_last already
    mean = torch.tensor(spec.mean, device=pixels.device).view(1, 3, 1, 1) * 255.0
    std = torch.tensor(spec.std, device=pixels.device).view(1, 3, 1, 1) * 255.0
    return (images - mean) / std
