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
from torch import Tensor, nn

from data_prep.files import writing_atomically
from data_prep.progress import progress_bar
from export.torchscript import export_submission
from submission.evaluation_set import EvaluationSet
from submission.hosted_scorer import MAX_DIM, embed_images, load_submission
from submission.scoring import Scoring, embed_set, measure_score
from train.checkpoint import load_checkpoint
from train.data.feature_cache import hash_of_state
from train.data.preprocessing import PreprocessSpec, preprocess
from train.data.readers import ShardReader
from train.model.backbones import Backbone, build_backbone
from train.model.embedder import Embedder
from train.retrieval.projection import Projection, fit_pca

OFF_THE_SHELF = "off_the_shelf"
PCA_WHITENED = f"pca_whitened_{MAX_DIM}"
NAMES = (OFF_THE_SHELF, PCA_WHITENED)
_FORMAT = 1  # of the kept scores: raise it when what is computed here changes
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
        checkpoint_path: says which tower training started from, and the preprocessing, which is kept.
        evaluation: what is scored.
        train_shards: packed mixture on whose train split the PCA is fitted; None leaves that baseline out.
        scoring: as for the model itself.
        cache_dir: where scores are kept.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    spec = replace(checkpoint.backbone_spec, image_px=checkpoint.preprocess.image_px)
    tower = build_backbone(spec).eval()
    reader = ShardReader(train_shards, "train") if train_shards else None
    kept_path = cache_dir / f"{_identity(tower, checkpoint.preprocess, evaluation, scoring, reader)}.json"
    if kept_path.is_file():
        return Baselines(**json.loads(kept_path.read_text(encoding="utf-8")))
    baselines = _measure(tower, checkpoint.preprocess, evaluation, scoring, reader)
    with writing_atomically(kept_path) as unfinished_path:
        unfinished_path.write_text(json.dumps(asdict(baselines), indent=2) + "\n", encoding="utf-8")
    return baselines


def _identity(
    tower: Backbone,
    spec: PreprocessSpec,
    evaluation: EvaluationSet,
    scoring: Scoring,
    reader: ShardReader | None,
) -> str:
    """Name of the kept scores: a hash of everything that they depend on."""
    depends_on = {
        "format": _FORMAT,
        "tower": [tower.spec.kind, tower.spec.arch, tower.spec.patch_stride, tower.spec.output, hash_of_state(tower)],
        "preprocess": spec.to_dict(),
        "evaluated": [evaluation.data_sha256, evaluation.images_sha256, evaluation.source.get("split")],
        "scoring": [scoring.protocol, scoring.index],
        "fitted_on": [reader.manifest.sha256, _N_PCA_IMAGES] if reader else None,
    }
    digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
    return f"baselines-{digest[:20]}"


def _measure(
    tower: Backbone,
    spec: PreprocessSpec,
    evaluation: EvaluationSet,
    scoring: Scoring,
    reader: ShardReader | None,
) -> Baselines:
    baselines = no_baselines("")
    with tempfile.TemporaryDirectory(prefix="baselines-") as folder:
        wide_path = Path(folder) / "off_the_shelf.pt"
        export_submission(Embedder(tower, nn.Identity()), spec, wide_path)
        wide = embed_set(wide_path, evaluation, scoring.device, "off the shelf")
        baselines.scores[OFF_THE_SHELF] = measure_score(wide, evaluation, scoring)[1]
        del baselines.missing[OFF_THE_SHELF]
        if reader is None:
            baselines.missing[PCA_WHITENED] = "the PCA is fitted on training images: give their shards with --shards"
            return baselines
        try:
            pca = fit_pca(_train_features(tower, spec, reader, scoring.device), MAX_DIM, whiten=True)
        except ValueError as error:  # a tower or a training split too small for 64 directions
            baselines.missing[PCA_WHITENED] = str(error)
            return baselines
        short_path = Path(folder) / "pca_whitened.pt"
        export_submission(Embedder(tower, PcaHead(pca)), spec, short_path)
        short = _short_embeddings(short_path, pca, wide, evaluation, scoring.device)
        baselines.scores[PCA_WHITENED] = measure_score(short, evaluation, scoring)[1]
        del baselines.missing[PCA_WHITENED]
    return baselines


class PcaHead(nn.Module):
    """Features [B, width] -> unit length -> the projection as a linear layer [B, out_dim]."""

    def __init__(self, projection: Projection) -> None:
        super().__init__()
        weight, bias = projection.linear_layer()
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        self.linear.weight.data = torch.from_numpy(weight).to(torch.float32)
        self.linear.bias.data = torch.from_numpy(bias).to(torch.float32)

    def forward(self, features: Tensor) -> Tensor:
        # Not norm(): exported by a new torch it asks for operators that the host's lacks.
        length = torch.sqrt(torch.sum(features * features, dim=1, keepdim=True))
        return self.linear(features / length)


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


@torch.no_grad()
def _train_features(tower: Backbone, spec: PreprocessSpec, reader: ShardReader, device: str) -> np.ndarray:
    """float32 [n, width], unit length, of at most _N_PCA_IMAGES training images, chosen by a stable hash."""
    by_rank = sorted(range(len(reader)), key=lambda row: _rank(reader.table.keys[row]))
    chosen = sorted(by_rank[:_N_PCA_IMAGES])
    tower = copy.deepcopy(tower).to(device, memory_format=torch.channels_last)
    features = []
    with progress_bar(len(chosen), "PCA, training images", "image") as progress:
        for start in range(0, len(chosen), _PCA_BATCH):
            images = [preprocess(reader.image(row), spec) for row in chosen[start : start + _PCA_BATCH]]
            batch = torch.stack(images).to(device, memory_format=torch.channels_last)
            features.append(nn.functional.normalize(tower(batch).float(), dim=1).cpu().numpy())
            progress.update(len(images))
    return np.concatenate(features)


def _rank(key: str) -> str:
    return hashlib.sha256(str(key).encode()).hexdigest()
