"""A run without stages: the tower off the shelf, under the head that it starts with, as a checkpoint like any other.

With head `identity` these are the tower's own features; with `unit_linear` they are projected: by PCA-whitening
(`init: pca, init_whitening: 1.0`) or at random (`bias: false`). Source: the baselines of UnED, arXiv 2309.01858.
"""

import hashlib
import json
from pathlib import Path

import torch

from train.checkpoint import save_checkpoint
from train.config import TrainConfig
from train.data.embeddings import embed_samples
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.model.image_model import ImageModel
from train.stages.data import items_of
from train.stages.final import stored_scores
from train.stages.start import preprocess_of, starting_backbone, to_device, with_start_head


def write_off_the_shelf(
    config: TrainConfig, shards_dir: Path, path: Path, cache_dir: Path,
    left_out: frozenset[tuple[str, str]] = frozenset(),
) -> None:
    """Write what a run would start from, and its score on the val split, to `path`; `left_out`: of `ShardReader`.

    Only a PCA head looks at the train images.

    Raises:
        ConfigError: what the tower, the shards or the head complain of.
    """
    reader = ShardReader(shards_dir, "train", left_out=left_out)
    torch.manual_seed(config.seed)  # a random head
    backbone = starting_backbone(config, config.export_image_px)
    embedder, head_spec = with_start_head(config, backbone, config.export_image_px, reader, cache_dir)
    to_device(embedder, config.accelerator)
    spec = preprocess_of(backbone, config.export_image_px, config.resize)
    validation = ShardReader(shards_dir, "val")
    embeddings = embed_samples(ImageModel([embedder], [spec]), validation, title="validation")
    scores = stored_scores(validation_values(embeddings, items_of(validation.table)))
    meta = {
        "run": config.name,
        "stage_index": 0,
        "stage": "off_the_shelf",
        "seed": config.seed,
        "val": scores,
        "label_hash": hashlib.sha256(b"").hexdigest(),
        "manifest_sha256": reader.manifest.sha256,
        "config": json.loads(config.model_dump_json()),
    }
    print(f"off the shelf: val mMP@5 {scores['mMP@5']:.4f}", flush=True)
    save_checkpoint(path, embedder.cpu().eval(), head_spec, spec, (None, ()), meta)
