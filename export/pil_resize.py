"""PIL's antialiased bicubic resize, in operators that PyTorch 1.11 runs and TorchScript compiles.

PIL resizes one axis after the other and rounds to whole grey levels after each. One call of PyTorch's
antialiased operator for both axes keeps fractions in between and differs from PIL in one pixel of seven; one
call an axis, rounded and clamped, differs in one of some thousands, by one grey level, where the two round a
tie differently.

Which axis comes first matters too (on a photograph of 127 x 333 pixels the wrong order changes one pixel of
four): up to Pillow 12 the width always did, from Pillow 13 on the height does when it shrinks by more than
twice what the width shrinks by (`ImagingResampleInner` in Pillow's Resample.c).

Memory beyond the image itself stays bounded for every shape: the first pass takes large images in bands.
"""

import PIL
import torch
from torch import Tensor

from train.data.preprocessing import LONGEST_ASPECT

BAND_VALUES = 3 * (1 << 22)  # 4 million RGB pixels


def pillow_shrinks_tall_first() -> bool:
    """Whether the Pillow installed here resizes the height of tall images first."""
    return int(PIL.__version__.split(".")[0]) >= 13


def _resized(pixels: Tensor, height_px: int, width_px: int) -> Tensor:
    """One axis changes, the other has its size already: [B, C, H, W] whole numbers -> float32, the same resized."""
    # contiguous: PIL's pixels arrive with the channels last in memory, which 1.11's kernels need not handle well.
    pixels = pixels.contiguous().to(torch.float32)
    # The operator itself, not F.interpolate: scripting that compiles every branch of it, with operators 1.11
    # lacks.
    resized = torch._C._nn._upsample_bicubic2d_aa(pixels, [height_px, width_px], False, None, None)
    # floor(x + 0.5) and not round(): PIL rounds halves up.
    return torch.clamp(torch.floor(resized + 0.5), 0.0, 255.0)


def _one_pass(pixels: Tensor, axis: int, size_px: int, band_values: int) -> Tensor:
    """Resize axis 2 or 3 of [B, C, H, W] to `size_px`; float32. Large images go in bands along the other axis."""
    other = 5 - axis
    length_px = pixels.size(other)
    band_px = max(1, band_values * length_px // pixels.numel())
    parts: list[Tensor] = []
    start = 0
    while start < length_px:
        band = pixels.narrow(other, start, min(band_px, length_px - start))
        if axis == 2:
            parts.append(_resized(band, size_px, band.size(3)))
        else:
            parts.append(_resized(band, band.size(2), size_px))
        start += band_px
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=other)


def resize_like_pil(
    pixels: Tensor, height_px: int, width_px: int, tall_first: bool, band_values: int = BAND_VALUES
) -> Tensor:
    """uint8 or float32 [B, C, H, W] -> float32 [B, C, height_px, width_px], both of whole numbers 0..255.

    Equal to `PIL.Image.resize((width_px, height_px), BICUBIC)` of each image, `tall_first` saying by which
    Pillow's order. An axis that has its size already is left alone, as PIL does. `band_values`: of a larger image, so
    many numbers are turned to floats at a time.
    """
    is_column = pixels.shape[3] == 1
    if is_column and width_px > 1:
        # Twice the same column changes no value: PyTorch 1.11's operator misreads the rows of an image one pixel
        # wide.
        pixels = torch.cat([pixels, pixels], dim=3)
    surplus_height, surplus_width = pixels.shape[2] - height_px, pixels.shape[3] - width_px
    # Equal columns may be shrunk before they are widened, whatever Pillow does: that keeps the memory small.
    if (tall_first or is_column) and surplus_height > 0 and surplus_height > 2 * surplus_width:
        pixels = _one_pass(pixels, 2, height_px, band_values)
    if pixels.shape[3] != width_px:
        pixels = _one_pass(pixels, 3, width_px, band_values)
    if pixels.shape[2] != height_px:
        pixels = _one_pass(pixels, 2, height_px, band_values)
    return pixels.to(torch.float32)


def squash(pixels: Tensor, size_px: int, tall_first: bool) -> Tensor:
    """[B, C, H, W] -> [B, C, size_px, size_px]; ignores the aspect ratio."""
    return resize_like_pil(pixels, size_px, size_px, tall_first)


def shortest_crop(pixels: Tensor, size_px: int, tall_first: bool, longest_aspect: int = LONGEST_ASPECT) -> Tensor:
    """[B, C, H, W] -> [B, C, size_px, size_px]: the centre square, once the shorter side is `size_px`.

    Sides and offsets are those of `train.data.preprocessing.frame_image`, and so is `longest_aspect`: of a longer
    image only the centre so many times as long as wide counts.
    """
    longest_px = longest_aspect * min(pixels.shape[2], pixels.shape[3])
    above, before = max(0, pixels.shape[2] - longest_px) // 2, max(0, pixels.shape[3] - longest_px) // 2
    pixels = pixels[:, :, above : pixels.shape[2] - above, before : pixels.shape[3] - before]
    height_px, width_px = pixels.shape[2], pixels.shape[3]
    if width_px <= height_px:
        pixels = resize_like_pil(pixels, int(size_px * height_px / width_px), size_px, tall_first)
    else:
        pixels = resize_like_pil(pixels, size_px, int(size_px * width_px / height_px), tall_first)
    top = half_to_even(pixels.shape[2] - size_px)
    left = half_to_even(pixels.shape[3] - size_px)
    return pixels[:, :, top : top + size_px, left : left + size_px]


def pad_square(pixels: Tensor, size_px: int, tall_first: bool, fill: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, size_px, size_px]: the longer side becomes `size_px`, the rest is `fill`.

    `fill` [1, C, 1, 1]: whole grey levels. Sides and offsets are those of `train.data.preprocessing.frame_image`.
    """
    height_px, width_px = pixels.shape[2], pixels.shape[3]
    if width_px <= height_px:
        pixels = resize_like_pil(pixels, size_px, max(2, int(size_px * width_px / height_px)), tall_first)
    else:
        pixels = resize_like_pil(pixels, max(2, int(size_px * height_px / width_px)), size_px, tall_first)
    top, left = (size_px - pixels.shape[2]) // 2, (size_px - pixels.shape[3]) // 2
    bottom, right = size_px - pixels.shape[2] - top, size_px - pixels.shape[3] - left
    return torch.constant_pad_nd(pixels - fill, [left, right, top, bottom], 0.0) + fill


def half_to_even(surplus_px: int) -> int:
    """round(surplus_px / 2) as Python rounds, in whole numbers.

    >>> [half_to_even(surplus) for surplus in (0, 1, 2, 3, 4, 5)]
    [0, 0, 1, 2, 2, 2]
    """
    half = surplus_px // 2
    return half + (surplus_px % 2) * (half % 2)
