"""Features of a frozen tower, computed once and kept on disk: a head then trains in seconds instead of hours."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from data_prep.images import encoder_versions
from data_prep.progress import progress_bar
from train.data.augmentation import build_augmentation, describe_augmentation
from train.data.batch_loader import batch_loader
from train.data.datasets import NumberedViews, OrderedBatches
from train.data.preprocessing import PreprocessSpec, normalise_batch
from train.data.readers import ShardReader
from train.data.row_cache import cached_rows

_BATCH = 64


@dataclass(frozen=True)
class AugmentedViews:
    """How many augmented views of each image are kept, and the augmentation, as `build_augmentation` takes it."""

    n_views: int
    preset: str
    min_crop_scale: float
    horizontal_flip: bool

    def identity(self) -> dict:
        """Plain values that decide the pixels of every view."""
        changes = describe_augmentation(self.preset, self.horizontal_flip)
        return asdict(self) | {"changes": changes, "codecs": encoder_versions()}


def cached_features(
    tower: nn.Module, reader: ShardReader, spec: PreprocessSpec, cache_dir: Path,
    views: AugmentedViews | None = None, n_workers: int = 0,
) -> np.ndarray:
    """float32 [N, width] features of every sample, in the reader's order, memory-mapped; or of augmented views of them,
    [n_views, N, width].

    The file's name is a hash of the tower's weights, the shards, the samples, the preprocessing and the views: any
    change of one of them computes anew. Views do not hang on a run's seed, so that runs share them. A part of another
    reader (`ShardReader.only`) takes its rows from that one's file. An interrupted computation goes on where it was.
    `n_workers`: processes that decode.
    """
    if reader.part_of is not None:
        whole, rows = reader.part_of
        return cached_features(tower, whole, spec, cache_dir, views, n_workers)[..., rows, :]
    identity = {
        "tower": hash_of_state(tower),
        "manifest": reader.manifest.sha256,
        "samples": hashlib.sha256("\n".join(reader.table.keys).encode()).hexdigest(),
        "preprocess": spec.to_dict(),
    }
    if views is None:
        n_views, batches = 1, OrderedBatches(reader, spec, _BATCH)
    else:
        identity["views"] = views.identity()
        augment = build_augmentation(views.preset, spec.image_px, views.min_crop_scale, views.horizontal_flip)
        n_views, batches = views.n_views, NumberedViews(reader, views.n_views, augment, _BATCH)
    name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
    title = f"features ({reader.split}, {spec.image_px} px" + (f", {n_views} views)" if views else ")")
    features = cached_rows(
        Path(cache_dir) / f"features-{name}.npy", n_views * len(reader), tower.width, _BATCH,
        lambda first: feature_rows(tower, batches, spec, title, first, n_workers),
    )
    return features if views is None else features.reshape(n_views, len(reader), tower.width)


def compute_features(
    tower: nn.Module, reader: ShardReader, spec: PreprocessSpec, batch_size: int = _BATCH, title: str = "features"
) -> np.ndarray:
    """float32 [N, width] in evaluation mode, on the device the tower is on; the mode is put back afterwards."""
    title = f"{title} ({reader.split}, {spec.image_px} px)"
    return np.concatenate(list(feature_rows(tower, OrderedBatches(reader, spec, batch_size), spec, title)))


def feature_rows(
    tower: nn.Module, batches: Dataset, spec: PreprocessSpec, title: str, first: int = 0, n_workers: int = 0
) -> Iterator[np.ndarray]:
    """float32 [B, width] of batch `first` and of all after it, in evaluation mode; the mode is put back at the end.

    `batches`: item b has `pixels` uint8 [B, H, W, 3], and `sizes_px` for a tower that takes them.
    """
    was_training = tower.training
    tower.eval()
    device = next(tower.parameters()).device
    loader = batch_loader(batches, n_workers, range(first, len(batches)), pin_memory=device.type == "cuda")
    try:
        with progress_bar(batches.n_images, title, "image") as progress:
            progress.update(first * batches.batch_size)
            for batch in loader:
                # An embedder whose head sees the image sizes takes them, a tower does not.
                sizes = (batch["sizes_px"].to(device),) if getattr(tower, "image_sizes", False) else ()
                with torch.no_grad():  # not around the yield: it would hold for the caller too
                    images = normalise_batch(batch["pixels"].to(device, non_blocking=True), spec)
                    rows = tower(images, *sizes).to(torch.float32).cpu().numpy()
                yield rows
                progress.update(len(rows))
    finally:
        tower.train(was_training)


def hash_of_state(module: nn.Module) -> str:
    """sha256 over names, shapes and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        flat = value.detach().cpu().contiguous(memory_format=torch.contiguous_format).flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
