"""The input pipelines that ours is measured beside, with the same augmentation in their own terms.

torchvision's ImageFolder and a plain WebDataset, both with Pillow and torchvision's transforms. Both end in uint8
batches.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

BATCH = 64


def pillow_transforms(preset: str, image_px: int) -> Callable:
    """torchvision's transforms for a Pillow image: the changes of our preset with its chances and ranges."""
    from torchvision.transforms import InterpolationMode, v2

    crop = [
        v2.RandomResizedCrop(image_px, scale=(0.5, 1.0), ratio=(3 / 4, 4 / 3), interpolation=InterpolationMode.BICUBIC),
        v2.RandomHorizontalFlip(0.5),
    ]
    if preset == "crop":
        return v2.Compose([*crop, v2.PILToTensor()])
    return v2.Compose([
        *crop,
        v2.RandomApply([v2.RandomAffine(12, (0.06, 0.06), (0.9, 1.1), interpolation=InterpolationMode.BILINEAR)], 0.5),
        v2.RandomApply([v2.ColorJitter(brightness=0.2, contrast=0.2)], 0.5),
        v2.RandomApply([v2.ColorJitter(saturation=0.25, hue=10 / 360)], 0.3),
        v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.2))], 0.1),
        v2.PILToTensor(),
        v2.RandomApply([v2.JPEG((50, 95))], 0.2),
        v2.RandomErasing(0.4, scale=(0.01, 0.16), value=127),
    ])


def image_folder_loader(folder: Path, preset: str, image_px: int, n_workers: int, n_images: int) -> DataLoader:
    """ImageFolder over JPEG files; a shuffled epoch of `n_images`, with replacement."""
    from torchvision.datasets import ImageFolder

    data = ImageFolder(folder, pillow_transforms(preset, image_px))
    sampler = torch.utils.data.RandomSampler(data, replacement=True, num_samples=n_images)
    return DataLoader(data, BATCH, sampler=sampler, num_workers=n_workers)


def webdataset_loader(shards: list[str], preset: str, image_px: int, n_workers: int, n_images: int) -> Any:
    """WebDataset's own pipeline: shards drawn at random, a shuffle buffer, Pillow, torchvision's transforms."""
    import webdataset

    data = (
        webdataset.WebDataset(shards, resampled=True, shardshuffle=False)
        .shuffle(100)
        .decode("pil")
        .to_tuple("jpg")
        .map_tuple(pillow_transforms(preset, image_px))
        .batched(BATCH)
    )
    return webdataset.WebLoader(data, batch_size=None, num_workers=n_workers)


def pillow_crop(rgb: np.ndarray, box: tuple[float, float, float, float], image_px: int) -> np.ndarray:
    """The crop as uint8 [image_px, image_px, 3] by Pillow's antialiased bicubic filter, the one of inference."""
    square = Image.fromarray(rgb).resize((image_px, image_px), Image.Resampling.BICUBIC, box=box)
    return np.array(square)
