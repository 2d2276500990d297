"""The input pipelines that ours is measured beside, with the same augmentation in their own terms.

torchvision's ImageFolder and a plain WebDataset, both with Pillow and torchvision's transforms, and the chain of
albumentations that this project used before. All end in uint8 batches.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

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


class ByAlbumentations(Dataset):
    """Batches of decoded (OpenCV), cropped (Pillow, bicubic) and changed images, as before this project had its own.

    `jpegs`: contents of files; item b takes the next BATCH of them, round and round.
    """

    def __init__(self, jpegs: list[bytes], preset: str, image_px: int, n_images: int) -> None:
        self.jpegs = jpegs
        self.preset = preset
        self.image_px = image_px
        self.n_batches = n_images // BATCH
        self._change = None

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, batch: int) -> torch.Tensor:
        self._change = self._change or albumentations_chain(self.preset, self.image_px)
        jpegs = [self.jpegs[(batch * BATCH + row) % len(self.jpegs)] for row in range(BATCH)]
        return torch.from_numpy(np.stack([self._change(jpeg, batch * BATCH + row) for row, jpeg in enumerate(jpegs)]))


def albumentations_loader(jpegs: list[bytes], preset: str, image_px: int, n_workers: int, n_images: int) -> DataLoader:
    """`ByAlbumentations` in loading processes."""
    return DataLoader(ByAlbumentations(jpegs, preset, image_px, n_images), None, num_workers=n_workers)


def albumentations_chain(preset: str, image_px: int) -> Callable[[bytes, int], np.ndarray]:
    """(JPEG bytes, seed) -> uint8 [image_px, image_px, 3]."""
    import os

    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks the network for a newer version
    import albumentations as a
    import cv2

    cv2.setNumThreads(0)
    changes = [a.HorizontalFlip(p=0.5)]
    if preset == "standard":
        changes += [
            a.Affine(scale=(0.9, 1.1), translate_percent=(-0.06, 0.06), rotate=(-12, 12), keep_ratio=True,
                     border_mode=cv2.BORDER_REFLECT_101, p=0.5),
            a.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5),
            a.HueSaturationValue(hue_shift_limit=5, sat_shift_limit=25, val_shift_limit=0, p=0.3),
            a.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 1.2), p=0.1),
            a.ImageCompression(quality_range=(50, 95), p=0.2),
            a.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(0.1, 0.4), hole_width_range=(0.1, 0.4),
                            fill=127, p=0.4),
        ]
    return partial(_cropped_and_changed, compose=a.Compose(changes), image_px=image_px)


def _cropped_and_changed(jpeg: bytes, seed: int, compose: Any, image_px: int) -> np.ndarray:
    import random

    import cv2
    from PIL import Image

    from train.data.picture_crop import crop_box

    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    rng = np.random.default_rng(seed)
    left, top, width, height = crop_box(pixels.shape[1::-1], 0.5, iter(rng.random(4)))
    box = (left, top, min(left + width, pixels.shape[1]), min(top + height, pixels.shape[0]))
    crop = Image.fromarray(pixels).resize((image_px, image_px), Image.Resampling.BICUBIC, box=box)
    compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
    return compose(image=np.array(crop))["image"]
