"""Features of a frozen tower, computed once and kept on disk: a head then trains in seconds instead of hours."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from data_prep.files import writing_atomically
from data_prep.progress import progress_bar
from train.data.datasets import OrderedBatches
from train.data.preprocessing import PreprocessSpec, normalise_batch
from train.data.readers import ShardReader


def cached_features(tower: nn.Module, reader: ShardReader, spec: PreprocessSpec, cache_dir: Path) -> np.ndarray:
    """float32 [N, width] features of every sample, in the reader's order.

    The file's name is a hash of the tower's weights, the shards, the samples and the preprocessing: any change of one
    of them computes anew. A part of another reader (`ShardReader.only`) takes its rows from that one's file.
    """
    if reader.part_of is not None:
        whole, rows = reader.part_of
        return cached_features(tower, whole, spec, cache_dir)[rows]
    identity = {
        "tower": hash_of_state(tower),
        "manifest": reader.manifest.sha256,
        "samples": hashlib.sha256("\n".join(reader.table.keys).encode()).hexdigest(),
        "preprocess": spec.to_dict(),
    }
    name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20]
    path = Path(cache_dir) / f"features-{name}.npy"
    if path.is_file():
        return np.load(path, mmap_mode="r")
    features = compute_features(tower, reader, spec)
    with writing_atomically(path) as unfinished_path, open(unfinished_path, "wb") as stream:
        np.save(stream, features)
    return features


@torch.no_grad()
def compute_features(
    tower: nn.Module, reader: ShardReader, spec: PreprocessSpec, batch_size: int = 64, title: str = "features"
) -> np.ndarray:
    """float32 [N, width] in evaluation mode, on the device the tower is on; the mode is put back afterwards."""
    was_training = tower.training
    tower.eval()
    device = next(tower.parameters()).device
    batches = OrderedBatches(reader, spec, batch_size)
    rows = []
    with progress_bar(len(reader), f"{title} ({reader.split}, {spec.image_px} px)", "image") as progress:
        for number in range(len(batches)):
            batch = batches[number]
            images = normalise_batch(batch["pixels"].to(device), spec)
            # An embedder whose head sees the image sizes takes them, a tower does not.
            sizes = (batch["sizes_px"].to(device),) if getattr(tower, "image_sizes", False) else ()
            rows.append(tower(images, *sizes).to(torch.float32).cpu().numpy())
            progress.update(len(images))
    tower.train(was_training)
    return np.concatenate(rows)


def hash_of_state(module: nn.Module) -> str:
    """sha256 over names, shapes and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        flat = value.detach().cpu().contiguous(memory_format=torch.contiguous_format).flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
