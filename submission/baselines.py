"""What training has to beat: the tower as it was before training, at its own width and PCA-whitened to 64-D.

Both are exported like a submission and run through the same scorer. They depend on the tower and the data
only, so their scores are kept in a file named by a hash of both, and runs with other seeds find them there.
"""

import copy
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from data_prep.files import write_json
from export.torchscript import export_submission
from submission.evaluation_set import EvaluationSet
from submission.hosted_scorer import MAX_DIM, embed_images, load_submission
from submission.scoring import Scoring, embed_set, measure_score
from train.concatenation import LoadedModel, load_model
from train.data.embeddings import choose_rows, embed_samples
from train.data.feature_cache import hash_of_state
from train.data.preprocessing import View
from train.data.readers import ShardReader
from train.model.backbones import build_backbone
from train.model.embedder import Embedder
from train.model.image_model import ImageModel, projection_layer
from train.retrieval.projection import Projection, fit_pca

OFF_THE_SHELF = "off_the_shelf"
PCA_WHITENED = f"pca_whitened_{MAX_DIM}"
NAMES = (OFF_THE_SHELF, PCA_WHITENED)
_FORMAT = 3  # of the kept scores: raise it when what is computed here changes
_N_PCA_IMAGES = 2000
_PCA_BATCH = 32
_N_PROOF_IMAGES = 8


@dataclass(frozen=True)
class Baselines:
    """`scores`: name -> what `measure_score` describes, or None; `missing`: name -> why there is none."""

    scores: dict[str, dict | None]
    missing: dict[str, str]


def no_baselines(reason: str) -> Baselines:
    """Neither baseline, and why."""
    return Baselines(dict.fromkeys(NAMES), dict.fromkeys(NAMES, reason))


def score_baselines(
    checkpoint_path: Path,
    evaluation: EvaluationSet,
    train_shards: Path | None,
    scoring: Scoring,
    cache_dir: Path,
) -> Baselines:
    """Score the starting tower of a checkpoint on an evaluation set.

    Args:
        checkpoint_path: says which tower training started from, and the preprocessing, which is kept but for the
            views: a baseline has one plain view.
        evaluation: what is scored.
        train_shards: packed mixture on whose train split the PCA is fitted; None leaves that baseline out.
        scoring: as for the model itself.
        cache_dir: where scores are kept.
    """
    wide = starting_model(load_model(checkpoint_path))
    reader = ShardReader(train_shards, "train") if train_shards else None
    kept_path = cache_dir / f"{_identity(wide, evaluation, scoring, reader)}.json"
    if kept_path.is_file():
        return Baselines(**json.loads(kept_path.read_text(encoding="utf-8")))
    baselines = _measure(wide, evaluation, scoring, reader)
    write_json(kept_path, asdict(baselines))
    return baselines


def starting_model(trained: LoadedModel) -> ImageModel:
    """The towers that training started from, as they were, without heads: unit features, several concatenated."""
    embedders = []
    for spec, preprocess in zip(trained.backbone_specs, trained.model.specs):
        tower = build_backbone(replace(spec, image_px=preprocess.image_px))
        embedders.append(Embedder(tower, nn.Identity()).eval())
    plain = [replace(preprocess, views=(View(),)) for preprocess in trained.model.specs]
    # Squares that sum to 1, so that the concatenation is unit length before a projection too.
    length = sum(weight * weight for weight in trained.model.weights) ** 0.5
    return ImageModel(embedders, plain, [weight / length for weight in trained.model.weights])


def _identity(wide: ImageModel, evaluation: EvaluationSet, scoring: Scoring, reader: ShardReader | None) -> str:
    """Name of the kept scores: a hash of everything that they depend on."""
    specs = [embedder.backbone.spec for embedder in wide.embedders]
    depends_on = {
        "format": _FORMAT,
        "towers": [[spec.kind, spec.arch, spec.patch_stride, spec.output] for spec in specs],
        "state": hash_of_state(wide),
        "weights": wide.weights,
        "preprocess": [spec.to_dict() for spec in wide.specs],
        "evaluated": [evaluation.data_sha256, evaluation.images_sha256, evaluation.source.get("split")],
        "scoring": [scoring.protocol, scoring.index],
        "fitted_on": [reader.manifest.sha256, _N_PCA_IMAGES] if reader else None,
    }
    digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
    return f"baselines-{digest[:20]}"


def _measure(wide: ImageModel, evaluation: EvaluationSet, scoring: Scoring, reader: ShardReader | None) -> Baselines:
    baselines = no_baselines("")
    with tempfile.TemporaryDirectory(prefix="baselines-") as folder:
        wide_path = Path(folder) / "off_the_shelf.pt"
        export_submission(wide, wide_path)
        features = embed_set(wide_path, evaluation, scoring.device, "off the shelf")
        baselines.scores[OFF_THE_SHELF] = measure_score(features, evaluation, scoring)[1]
        del baselines.missing[OFF_THE_SHELF]
        if reader is None:
            baselines.missing[PCA_WHITENED] = "the PCA is fitted on training images: give their shards with --shards"
            return baselines
        try:
            pca = fit_pca(_train_features(wide, reader, scoring.device), MAX_DIM, whiten=True)
        except ValueError as error:  # a tower or a training split too small for 64 directions
            baselines.missing[PCA_WHITENED] = str(error)
            return baselines
        short_path = Path(folder) / "pca_whitened.pt"
        export_submission(ImageModel(wide.embedders, wide.specs, wide.weights, projection_layer(pca)), short_path)
        short = _short_embeddings(short_path, pca, features, evaluation, scoring.device)
        baselines.scores[PCA_WHITENED] = measure_score(short, evaluation, scoring)[1]
        del baselines.missing[PCA_WHITENED]
    return baselines


def _short_embeddings(
    short_path: Path, pca: Projection, wide: np.ndarray, evaluation: EvaluationSet, device: str
) -> np.ndarray:
    """[M, 64] of the exported PCA model.

    Its tower has just seen every image for the wide baseline, so those embeddings are projected, once a
    sample through the exported file has proved that the two agree; where not, every image goes through it.
    """
    sample = np.unique(np.linspace(0, len(wide) - 1, _N_PROOF_IMAGES).astype(int)).tolist()
    model = load_submission(short_path, device)
    names = [evaluation.items.ids[row] for row in sample]
    proof = embed_images(model, (evaluation.read_bytes(row) for row in sample), names, "PCA, sample")
    short = pca.project(wide)
    if np.abs(proof - short[sample]).max() < 1e-4:
        return short
    return embed_set(short_path, evaluation, device, "PCA-whitened")


def _train_features(wide: ImageModel, reader: ShardReader, device: str) -> np.ndarray:
    """float32 [n, width], unit length, of at most _N_PCA_IMAGES training images, chosen by a stable hash."""
    model = copy.deepcopy(wide).to(device, memory_format=torch.channels_last)
    rows = choose_rows(reader, _N_PCA_IMAGES)
    return embed_samples(model, reader, rows, _PCA_BATCH, title="PCA, training images")
