"""How an image becomes the tower's input: one description that training, validation and export share."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data_prep.errors import ConfigError

RESIZE_RULES = ("squash", "shortest_crop", "pad")
CROP_PLACES = ("centre", "top_left", "top_right", "bottom_left", "bottom_right")
# `shortest_crop` looks at the centre of a longer image only, so that a line of pixels does not become gigabytes.
LONGEST_ASPECT = 8


@dataclass(frozen=True)
class View:
    """One look at an image; the embedding is the mean over all looks.

    `image_px` and `resize` are the `PreprocessSpec`'s where they are None. `crop` below 1 keeps this share of each side
    of the square that the rule makes: its centre, or the corner that `at` names. `flip` mirrors left and right.
    """

    image_px: int | None = None
    resize: Literal["squash", "shortest_crop", "pad"] | None = None
    crop: float = 1.0
    flip: bool = False
    at: Literal["centre", "top_left", "top_right", "bottom_left", "bottom_right"] = "centre"


@dataclass(frozen=True)
class Frame:
    """What a view shows, whether flipped or not: the rule makes a square of `resized_px`, a square is cut out `at`."""

    image_px: int
    resize: str
    crop: float
    at: str = "centre"

    @property
    def resized_px(self) -> int:
        """Side of the square before the one of `image_px` is cut out of it."""
        return max(self.image_px, round(self.image_px / self.crop))

    @property
    def top_left_px(self) -> tuple[int, int]:
        """Rows above and columns left of what is cut out."""
        surplus_px = self.resized_px - self.image_px
        if self.at == "centre":
            return surplus_px // 2, surplus_px // 2
        vertical, horizontal = self.at.split("_")
        return surplus_px * (vertical == "bottom"), surplus_px * (horizontal == "right")


@dataclass(frozen=True)
class PreprocessSpec:
    """Size, statistics, resize rule and views; travels in the checkpoint.

    `squash` ignores the aspect ratio; `shortest_crop` makes the shorter side `image_px`, then cuts the centre square
    (of an image longer than 8 times its width, only the centre 8 times as long counts);
    `pad` makes the longer side `image_px` and fills up with the mean colour. `mean` and `std` are for pixels in 0..1.
    Stages train and validate with one plain view; `views` are for scoring and export.
    """

    image_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["squash", "shortest_crop", "pad"] = "squash"
    views: tuple[View, ...] = (View(),)

    def frames(self) -> dict[Frame, tuple[bool, ...]]:
        """Each frame with its flips, in the order of the views: an image is resized once a frame."""
        found: dict[Frame, tuple[bool, ...]] = {}
        for view in self.views:
            frame = Frame(view.image_px or self.image_px, view.resize or self.resize, view.crop, view.at)
            found[frame] = (*found.get(frame, ()), view.flip)
        return found

    def frames_by_size(self) -> dict[int, list[Frame]]:
        """Side in pixels -> the frames of that size."""
        found: dict[int, list[Frame]] = {}
        for frame in self.frames():
            found.setdefault(frame.image_px, []).append(frame)
        return found

    def fill(self) -> tuple[int, int, int]:
        """Grey levels around a padded image: those that normalise to about 0."""
        return tuple(round(255 * channel) for channel in self.mean)

    def to_dict(self) -> dict:
        """Plain values for JSON, YAML and checkpoints; without `views` where there is one plain view."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        if self.views == (View(),):
            del values["views"]
        else:
            values["views"] = [asdict(view) for view in self.views]
        return values

    @staticmethod
    def from_dict(values: dict) -> "PreprocessSpec":
        """The inverse of `to_dict`; unknown resize rules are errors."""
        views = tuple(View(**view) for view in values.get("views", [{}]))
        for rule in (values["resize"], *(view.resize or values["resize"] for view in views)):
            if rule not in RESIZE_RULES:
                raise ConfigError(f"preprocess: no resize rule {rule!r}; known: {', '.join(sorted(RESIZE_RULES))}")
        for view in views:
            if view.at not in CROP_PLACES:
                raise ConfigError(f"preprocess: no place {view.at!r} of a crop; known: {', '.join(CROP_PLACES)}")
        return PreprocessSpec(values["image_px"], tuple(values["mean"]), tuple(values["std"]), values["resize"], views)


def resize_image(image: Image.Image, spec: PreprocessSpec) -> Image.Image:
    """RGB image of any size -> RGB square of `image_px`, PIL's antialiased bicubic; one plain view."""
    return frame_image(image, Frame(spec.image_px, spec.resize, 1.0), spec.fill())


def frame_image(image: Image.Image, frame: Frame, fill: tuple[int, int, int]) -> Image.Image:
    """RGB image of any size -> the frame's RGB square of `image_px`. `fill`: grey levels around a padded image."""
    size_px = frame.resized_px
    square = _square(image, size_px, frame.resize, fill)
    if size_px == frame.image_px:
        return square
    top, left = frame.top_left_px
    return square.crop((left, top, left + frame.image_px, top + frame.image_px))


def _square(image: Image.Image, size_px: int, rule: str, fill: tuple[int, int, int]) -> Image.Image:
    if rule == "squash":
        return image.resize((size_px, size_px), Image.Resampling.BICUBIC)
    if rule == "shortest_crop":
        image = _centre_of_long(image)
    width_px, height_px = image.size
    # int(), not round(): the rule of torchvision's Resize, which the field's towers were scored with.
    # At least 2: PyTorch's operators, which the exported file uses, misread rows of one pixel.
    if (width_px <= height_px) == (rule == "shortest_crop"):
        sides = (size_px, max(2, int(size_px * height_px / width_px)))
    else:
        sides = (max(2, int(size_px * width_px / height_px)), size_px)
    resized = image.resize(sides, Image.Resampling.BICUBIC)
    if rule == "pad":
        square = Image.new("RGB", (size_px, size_px), fill)
        square.paste(resized, ((size_px - resized.width) // 2, (size_px - resized.height) // 2))
        return square
    left = round((resized.width - size_px) / 2)
    top = round((resized.height - size_px) / 2)
    return resized.crop((left, top, left + size_px, top + size_px))


def _centre_of_long(image: Image.Image) -> Image.Image:
    """An image longer than `LONGEST_ASPECT` times its shorter side is cut to its centre of that length."""
    shorter_px = min(image.size)
    # Halves of a pixel would move the centre: one pixel more is kept where the surplus is odd.
    left, top = (max(0, side_px - LONGEST_ASPECT * shorter_px) // 2 for side_px in image.size)
    return image.crop((left, top, image.width - left, image.height - top)) if left or top else image


def preprocess(image: Image.Image, spec: PreprocessSpec) -> Tensor:
    """RGB image of any size -> float32 [3, image_px, image_px], normalised; one plain view."""
    pixels = np.array(resize_image(image, spec), dtype=np.uint8)  # a copy: PIL's own buffer is read-only
    return normalise_batch(torch.from_numpy(pixels)[None], spec)[0]


def normalise_batch(pixels: Tensor, spec: PreprocessSpec) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in channels_last memory, with the tower's statistics."""
    images = pixels.permute(0, 3, 1, 2).to(torch.float32)  # the permuted view of NHWC is channels_last already
    mean, std = _grey_levels(spec.mean, spec.std, pixels.device)
    return (images - mean) / std


@lru_cache
def _grey_levels(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """[1, 3, 1, 1] each, in 0..255; kept on the device, for a copy to it would make every step wait."""
    with torch.inference_mode(False):
        return tuple(torch.tensor(values, device=device).view(1, 3, 1, 1) * 255.0 for values in (mean, std))
