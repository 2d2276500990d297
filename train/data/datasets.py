"""Batches for the loaders: augmented training batches by plan, plain batches in order for scoring."""

from collections.abc import Callable, Iterable

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from train.data.preprocessing import PreprocessSpec, resize_image
from train.data.readers import SampleTable, ShardReader


class PlannedBatches(Dataset):
    """Item s is the whole batch of step s, or a device's share of it.

    Args:
        reader: the samples.
        plan: int [n_steps, batch_size]: which samples make up each step.
        first_step: running number of the plan's first step in the stage; part of the augmentation's seed, so that a
            step looks the same whether or not the run was interrupted before it.
        augment: (JPEG bytes, seed) -> uint8 [image_px, image_px, 3].
        seed: of the stage.
        share: (number of this process, processes): it takes every n-th image of each batch. An image looks the same
            whichever process takes it.
    """

    def __init__(
        self, reader: ShardReader, plan: np.ndarray, first_step: int, augment: Callable[[bytes, int], np.ndarray],
        seed: int, share: tuple[int, int] = (0, 1),
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
        seeds = np.random.SeedSequence([self.seed, self.first_step + step]).generate_state(len(whole))[own].tolist()
        return _augmented(self.reader, self.augment, whole[own], seeds)


class NumberedViews(Dataset):
    """Item b is the b-th run of `batch_size` views: first one of every sample in order, then another of every sample.

    View r // N of sample r % N is augmented with seed r.
    """

    def __init__(
        self, reader: ShardReader, n_views: int, augment: Callable[[bytes, int], np.ndarray], batch_size: int
    ) -> None:
        self.reader = reader
        self.n_images = n_views * len(reader)
        self.augment = augment
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-self.n_images // self.batch_size)

    def __getitem__(self, batch: int) -> dict[str, Tensor]:
        """`pixels` uint8 [B, image_px, image_px, 3], `indices` int64 [B] and `sizes_px` float32 [B, 2]."""
        cv2.setNumThreads(0)
        rows = range(batch * self.batch_size, min((batch + 1) * self.batch_size, self.n_images))
        indices = np.arange(rows.start, rows.stop) % len(self.reader)
        return _augmented(self.reader, self.augment, indices, rows)


class OrderedBatches(Dataset):
    """Item b is the b-th run of `batch_size` samples, resized exactly as the exported file will do it."""

    def __init__(self, reader: ShardReader, spec: PreprocessSpec, batch_size: int) -> None:
        self.reader = reader
        self.spec = spec
        self.batch_size = batch_size
        self.n_images = len(reader)

    def __len__(self) -> int:
        return -(-self.n_images // self.batch_size)

    def __getitem__(self, batch: int) -> dict[str, Tensor]:
        """`pixels` uint8 [B, image_px, image_px, 3], `indices` int64 [B] and `sizes_px` float32 [B, 2]."""
        first = batch * self.batch_size
        indices = np.arange(first, min(first + self.batch_size, self.n_images))
        pictures = [torch.from_numpy(np.array(resize_image(self.reader.image(index), self.spec))) for index in indices]
        return _batch_of(pictures, indices, self.reader.table)


class PlannedFeatures(Dataset):
    """Item s is the batch of step s as cached features [B, width]: training a head without its tower.

    Args:
        features: [N, width], or [n_views, N, width] of augmented views.
        plan: int [n_steps, batch_size]: which samples make up each step.
        views: int, as `plan`: which view of each; None where there is one.
    """

    def __init__(
        self, features: np.ndarray, plan: np.ndarray, table: SampleTable, views: np.ndarray | None = None
    ) -> None:
        self.features = features
        self.plan = plan
        self.table = table
        self.views = views

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """`features` float32 [B, width], `indices` int64 [B] and `sizes_px` float32 [B, 2]."""
        indices = self.plan[step]
        rows = self.features[indices] if self.views is None else self.features[self.views[step], indices]
        return {"features": torch.from_numpy(rows), **_known_of(indices, self.table)}


def draw_views(n_views: int, shape: tuple[int, int], first_step: int, seed: int) -> np.ndarray:
    """int64 [n_steps, batch_size]: a view for each image of each step; a step draws the same after an interruption."""
    return np.stack([
        np.random.default_rng([seed, first_step + step]).integers(n_views, size=shape[1]) for step in range(shape[0])
    ])


def _augmented(
    reader: ShardReader, augment: Callable[[bytes, int], np.ndarray], indices: np.ndarray, seeds: Iterable[int]
) -> dict[str, Tensor]:
    pictures = [_picture(reader, augment, index, seed) for index, seed in zip(indices, seeds)]
    return _batch_of(pictures, indices, reader.table)


def _batch_of(pictures: list[Tensor], indices: np.ndarray, table: SampleTable) -> dict[str, Tensor]:
    # In a loader's process this collates into shared memory: no second copy on the way.
    return {"pixels": default_collate(pictures), **_known_of(indices, table)}


def _picture(reader: ShardReader, augment: Callable[[bytes, int], np.ndarray], index: int, seed: int) -> Tensor:
    """uint8 [image_px, image_px, 3]."""
    try:
        return torch.from_numpy(augment(reader.jpeg_bytes(index), seed))
    except OSError as error:
        raise reader.damaged(index, str(error)) from error


def _known_of(indices: np.ndarray, table: SampleTable) -> dict[str, Tensor]:
    """What a batch holds beside pixels or features."""
    sizes_px = torch.from_numpy(table.sizes_px[indices])
    return {"indices": torch.from_numpy(indices.astype(np.int64)), "sizes_px": sizes_px}
