"""Embeddings of raw pictures, seen as a mixture would pack them; no shards needed. Kept on disk, made once."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from data_prep.crops import split_box
from data_prep.errors import ConfigError
from data_prep.files import sha256_of_bytes
from data_prep.images import Rejected, encoder_versions, prepare_image
from data_prep.progress import progress_bar
from data_prep.shard_plan import ImageSettings
from data_prep.workers import worker_count
from train.data.batch_loader import batch_loader
from train.data.preprocessing import PreprocessSpec, normalise_batch, resize_image
from train.data.row_cache import cached_rows


class RawPictures(Dataset):
    """Item b is the b-th run of `batch_size` pictures: uint8 [B, image_px, image_px, 3].

    Args:
        raw_root: folder that `paths` start from.
        paths: files that passed the decode check, as the catalogue names them.
        packing: how the mixture stores pictures: what is looked at is what training would see.
        spec: of the tower.
    """

    def __init__(
        self, raw_root: Path, paths: Sequence[str], packing: ImageSettings, spec: PreprocessSpec, batch_size: int
    ) -> None:
        self.raw_root = raw_root
        self.paths = list(paths)
        self.packing = packing
        self.spec = spec
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.paths) // self.batch_size)

    def __getitem__(self, batch: int) -> Tensor:
        paths = self.paths[batch * self.batch_size : (batch + 1) * self.batch_size]
        return torch.from_numpy(np.stack([self._pixels(path) for path in paths]))

    def _pixels(self, path: str) -> np.ndarray:
        """uint8 [image_px, image_px, 3] of one file, or of the box in it.

        Raises:
            ConfigError: a file that cannot be read any more.
        """
        file, box = split_box(path)
        try:
            prepared = prepare_image((self.raw_root / file).read_bytes(), **asdict(self.packing), box=box)
        except OSError as error:
            raise ConfigError(f"{self.raw_root / path}: changed since the decode check: {error}") from error
        if isinstance(prepared, Rejected):
            said = f"{prepared.reason}, {prepared.detail}"
            raise ConfigError(f"{self.raw_root / path}: changed since the decode check: {said}")
        with Image.open(io.BytesIO(prepared.jpeg)) as image:
            return np.asarray(resize_image(image.convert("RGB"), self.spec))


def cached_embeddings(
    pictures: RawPictures, encoder: tuple[Callable[[Tensor], Tensor], int], identity: dict, cache_dir: Path,
    n_workers: int,
) -> np.ndarray:
    """float32 [N, D] embeddings of the pictures in their order, memory-mapped; an interrupted call goes on.

    Args:
        encoder: normalised images [B, 3, H, W] -> [B, D], and D.
        identity: what decides the result besides preprocessing and packing: tower, weights, the files' hashes.
        n_workers: processes that decode; 0 takes one for each CPU, and the calling one alone does it where that is 1.
    """
    whole = identity | {"preprocess": pictures.spec.to_dict(), "packing": asdict(pictures.packing),
                        "versions": encoder_versions()}
    name = sha256_of_bytes(json.dumps(whole, sort_keys=True).encode())[:20]
    encode, width = encoder
    return cached_rows(cache_dir / f"embeddings-{name}.npy", len(pictures.paths), width, pictures.batch_size,
                       lambda first: _embedded_batches(pictures, encode, first, worker_count(n_workers)))


def _embedded_batches(
    pictures: RawPictures, encode: Callable[[Tensor], Tensor], first: int, n_workers: int
) -> Iterator[np.ndarray]:
    """Embeddings float32 [B, D] of batch `first` and of all after it."""
    loader = batch_loader(pictures, n_workers if n_workers > 1 else 0, range(first, len(pictures)))
    with progress_bar(len(pictures.paths), "image embeddings", "image") as progress:
        progress.update(first * pictures.batch_size)
        for pixels in loader:
            yield encode(normalise_batch(pixels, pictures.spec)).float().cpu().numpy()
            progress.update(len(pixels))
