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
from train.data.feature_cache import compute_features
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.stages.data import items_of
from train.stages.start import preprocess_of, start_embedder, to_device


def write_off_the_shelf(config: TrainConfig, shards_dir: Path, path: Path, cache_dir: Path) -> Path:
    """Build what a run would start from, score it on the val split, write it to `path`.

    Only a PCA head looks at the train images.

    Raises:
        ConfigError: what the tower, the shards or the head complain of.
    """
    reader = ShardReader(shards_dir, "train")
    torch.manual_seed(config.seed)  # a random head
    embedder, head_spec = start_embedder(config, config.export_image_px, None, reader, cache_dir)
    to_device(embedder, config.accelerator)
    spec = preprocess_of(embedder.backbone, config.export_image_px, config.resize)
    validation = ShardReader(shards_dir, "val")
    scores = validation_values(compute_features(embedder, validation, spec, title="validation"),
                               items_of(validation.table))
    meta = {
        "run": config.name,
        "stage_index": -1,
        "stage": "off_the_shelf",
        "seed": config.seed,
        "val": {name.removeprefix("val/"): round(float(value), 6) for name, value in scores.items()},
        "label_hash": hashlib.sha256(b"").hexdigest(),
        "manifest_sha256": reader.manifest.sha256,
        "config": json.loads(config.model_dump_json()),
    }
    print(f"off the shelf: val mMP@5 {meta['val']['mMP@5']:.4f}", flush=True)
    save_checkpoint(path, embedder.cpu().eval(), head_spec, spec, (None, ()), meta)
    return path
