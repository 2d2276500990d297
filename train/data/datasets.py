"""Batches for the loaders: augmented training batches by plan, plain batches in order for scoring."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from train.data.preprocessing import PreprocessSpec, resize_image
from train.data.readers import SampleTable, ShardReader


class PlannedBatches(Dataset):
    """Item s is the whole batch of step s.

    Args:
        reader: the samples.
        plan: int [n_steps, batch_size]: which samples make up each step.
        first_step: running number of the plan's first step in the stage; part of the augmentation's seed, so that a
            step looks the same whether or not the run was interrupted before it.
        augment: (pixels uint8 [H, W, 3], seed) -> uint8 [image_px, image_px, 3].
        seed: of the stage.
        share: (number of this process, processes): it takes every n-th image of each batch. An image looks the same
            whichever process takes it.
    """

    def __init__(
        self, reader: ShardReader, plan: np.ndarray, first_step: int, augment: Callable, seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.reader = reader
        self.plan = plan
        self.first_step = first_step
        self.augment = augment
        self.seed = seed
        self.share = share

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """`pixels` uint8 [B, H, W, 3], `indices` int64 [B] and `sizes_px` float32 [B, 2] of the original pictures."""
        cv2.setNumThreads(0)  # the threads belong to the training step
        own = slice(self.share[0], None, self.share[1])
        whole = self.plan[step]
        seeds = np.random.SeedSequence([self.seed, self.first_step + step]).generate_state(len(whole))[own]
        indices = whole[own]
        pictures = [self.augment(self._decoded(index), int(seed)) for index, seed in zip(indices, seeds)]
        return {"pixels": torch.from_numpy(np.stack(pictures)), **_known_of(indices, self.reader.table)}

    def _decoded(self, index: int) -> np.ndarray:
        pixels = _decode(self.reader.jpeg_bytes(index))
        if pixels is None:
            raise self.reader.damaged(index, "does not decode")
        return pixels


class OrderedBatches(Dataset):
    """Item b is the b-th run of `batch_size` samples, resized exactly as the exported file will do it."""

    def __init__(self, reader: ShardReader, spec: PreprocessSpec, batch_size: int) -> None:
        self.reader = reader
        self.spec = spec
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.reader) // self.batch_size)

    def __getitem__(self, batch: int) -> dict[str, Tensor]:
        """`pixels` uint8 [B, image_px, image_px, 3], `indices` int64 [B] and `sizes_px` float32 [B, 2]."""
        first = batch * self.batch_size
        indices = np.arange(first, min(first + self.batch_size, len(self.reader)))
        pictures = [np.asarray(resize_image(self.reader.image(index), self.spec)) for index in indices]
        return {"pixels": torch.from_numpy(np.stack(pictures)), **_known_of(indices, self.reader.table)}


class PlannedFeatures(Dataset):
    """Item s is the batch of step s as cached features [B, width]: training a head without its tower."""

    def __init__(self, features: np.ndarray, plan: np.ndarray, table: SampleTable) -> None:
        self.features = features
        self.plan = plan
        self.table = table

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """`features` float32 [B, width], `indices` int64 [B] and `sizes_px` float32 [B, 2]."""
        indices = self.plan[step]
        return {"features": torch.from_numpy(self.features[indices]), **_known_of(indices, self.table)}


def _known_of(indices: np.ndarray, table: SampleTable) -> dict[str, Tensor]:
    """What a batch holds beside pixels or features."""
    sizes_px = torch.from_numpy(table.sizes_px[indices])
    return {"indices": torch.from_numpy(indices.astype(np.int64)), "sizes_px": sizes_px}


def _decode(jpeg: bytes) -> np.ndarray | None:
    """JPEG -> uint8 [H, W, 3] RGB, or None. Shards hold upright RGB JPEGs, so no orientation flag is applied."""
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
