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

from data_prep.errors import TrainingError
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
    views: AugmentedViews | None = None, n_workers: int = 0, precision: str = "32-true",
) -> np.ndarray:
    """float32 [N, width] features of every sample, in the reader's order, memory-mapped; or of augmented views of them,
    [n_views, N, width].

    The file's name is a hash of the tower and its weights, the shards, the samples, the preprocessing, the views and
    the precision: any change of one of them computes anew. Views do not hang on a run's seed, so that runs share them.
    A part of another reader (`ShardReader.only`) takes its rows from that one's file. An interrupted computation goes
    on where it was.

    Args:
        n_workers: processes that decode.
        precision: of the tower's products, as `autocast`.

    Raises:
        TrainingError: features that are no numbers.
    """
    if reader.part_of is not None:
        whole, rows = reader.part_of
        return cached_features(tower, whole, spec, cache_dir, views, n_workers, precision)[..., rows, :]
    identity = {
        "tower": hash_of_state(tower),
        # The same weights make other features under another pooling, activation or patch stride.
        "form": {name: value for name, value in tower.spec.to_dict().items() if name not in ("weights", "image_px")},
        "manifest": reader.manifest.sha256,
        "samples": hashlib.sha256("\n".join(reader.table.keys).encode()).hexdigest(),
        "preprocess": spec.to_dict(),
    }
    if (half := _half_type(device_of(tower), precision)) is not None:
        identity["precision"] = str(half)
    if views is None:
        n_views, batches = 1, OrderedBatches(reader, spec, _BATCH)
    else:
        identity["views"] = views.identity()
        n_views, batches = views.n_views, numbered_views(reader, views, spec.image_px, _BATCH)
    name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
    title = f"features ({reader.split}, {spec.image_px} px" + (f", {n_views} views)" if views else ")")
    features = cached_rows(
        Path(cache_dir) / f"features-{name}.npy", n_views * len(reader), tower.width, _BATCH,
        lambda first: feature_rows(tower, batches, spec, title, first, n_workers, precision),
    )
    return features if views is None else features.reshape(n_views, len(reader), tower.width)


def numbered_views(reader: ShardReader, views: AugmentedViews, image_px: int, batch_size: int) -> NumberedViews:
    """Batches of the augmented views of every sample."""
    augment = build_augmentation(views.preset, image_px, views.min_crop_scale, views.horizontal_flip)
    return NumberedViews(reader, views.n_views, augment, batch_size)


def compute_features(
    tower: nn.Module, reader: ShardReader, spec: PreprocessSpec, batch_size: int = _BATCH, title: str = "features",
    n_workers: int = 0, precision: str = "32-true",
) -> np.ndarray:
    """float32 [N, width] in evaluation mode, on the device the tower is on; the mode is put back afterwards.

    `n_workers` and `precision`: as `cached_features`. Raises as `feature_rows`.
    """
    title, batches = f"{title} ({reader.split}, {spec.image_px} px)", OrderedBatches(reader, spec, batch_size)
    return np.concatenate(list(feature_rows(tower, batches, spec, title, 0, n_workers, precision)))


def feature_rows(
    tower: nn.Module, batches: Dataset, spec: PreprocessSpec, title: str, first: int = 0, n_workers: int = 0,
    precision: str = "32-true",
) -> Iterator[np.ndarray]:
    """float32 [B, width] of batch `first` and of all after it, in evaluation mode; the mode is put back at the end.

    `batches`: item b has `pixels` uint8 [B, H, W, 3], and `sizes_px` for a tower that takes them. `precision`: as
    `autocast`.

    Raises:
        TrainingError: features that are no numbers.
    """
    was_training = tower.training
    tower.eval()
    device = device_of(tower)
    loader = batch_loader(batches, n_workers, range(first, len(batches)), pin_memory=device.type == "cuda")
    try:
        with progress_bar(batches.n_images, title, "image") as progress:
            progress.update(first * batches.batch_size)
            for number, batch in enumerate(loader, first):
                # An embedder whose head sees the image sizes takes them, a tower does not.
                sizes = (batch["sizes_px"].to(device),) if getattr(tower, "image_sizes", False) else ()
                with torch.no_grad(), autocast(device, precision):  # not around the yield: it would hold for the caller
                    images = normalise_batch(batch["pixels"].to(device, non_blocking=True), spec)
                    rows = tower(images, *sizes).to(torch.float32).cpu().numpy()
                if not np.isfinite(rows).all():
                    raise TrainingError(
                        f"{title}: features that are no numbers in batch {number} (of {len(rows)} images) under "
                        f"precision {precision}; broken weights, or numbers beyond half precision's range: "
                        "bf16-mixed and 32-true reach as far as float32"
                    )
                yield rows
                progress.update(len(rows))
    finally:
        tower.train(was_training)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """What a stage's `precision` (`32-true`, `bf16-mixed`, `16-mixed`) means outside Lightning's loop."""
    half = _half_type(device, precision)
    return torch.autocast(device.type, half, enabled=half is not None)


def _half_type(device: torch.device, precision: str) -> torch.dtype | None:
    """None for 32-true. On a CPU 16-mixed is bfloat16, as Lightning has it."""
    known = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return torch.bfloat16 if precision == "16-mixed" and device.type == "cpu" else known[precision]


def device_of(module: nn.Module) -> torch.device:
    """Where its parameters are."""
    return next(module.parameters()).device


def hash_of_state(module: nn.Module) -> str:
    """sha256 over names, shapes and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        flat = value.detach().cpu().contiguous(memory_format=torch.contiguous_format).flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
