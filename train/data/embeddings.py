"""Embeddings of packed samples, by the model that is scored and exported."""

from collections.abc import Sequence

import numpy as np
import torch

from data_prep.hash_rank import rank_hash
from data_prep.progress import progress_bar
from train.data.readers import ShardReader
from train.model.image_model import ImageModel


def choose_rows(reader: ShardReader, n_images: int, seed: int = 0) -> list[int]:
    """Rows of at most `n_images` samples, in order: those that a stable hash of their keys ranks first."""
    ranked = sorted(range(len(reader)), key=lambda row: rank_hash(seed, "projection", str(reader.table.keys[row])))
    return sorted(ranked[:n_images])


@torch.no_grad()
def embed_samples(
    model: ImageModel, reader: ShardReader, rows: Sequence[int] | None = None, batch_size: int = 64,
    title: str = "embeddings",
) -> np.ndarray:
    """float32 [N, D] in evaluation mode, on the device the model is on, with all its views; the mode is put back.

    `rows`: which samples, in this order; None: all.
    """
    was_training = model.training
    model.eval()
    rows = range(len(reader)) if rows is None else rows
    parts = []
    with progress_bar(len(rows), f"{title} ({reader.split})", "image") as progress:
        for start in range(0, len(rows), batch_size):
            batch = list(rows[start : start + batch_size])
            sizes_px = torch.from_numpy(reader.table.sizes_px[batch])
            parts.append(model.embed([reader.image(row) for row in batch], sizes_px).to(torch.float32).cpu().numpy())
            progress.update(len(batch))
    model.train(was_training)
    return np.concatenate(parts)
