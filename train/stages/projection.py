"""A projection after training: fitted on the train images' embeddings, made part of the head."""

import copy

import numpy as np
import torch
from torch import nn

from data_prep.errors import ConfigError
from train.config import ProjectionConfig
from train.data.datasets import OrderedBatches
from train.data.embeddings import choose_rows
from train.data.feature_cache import AugmentedViews, device_of, feature_rows, numbered_views
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader
from train.model.embedder import Embedder
from train.model.heads import folded, with_projection
from train.model.image_model import projection_layer
from train.retrieval.projection import Projection, fit_partly_whitened, unit_rows
from train.retrieval.similarity_projection import fit_similarity_projection, wide_similarities
from train.stages.features import augmented_views

_BATCH = 64


def fit_projection(
    embedder: Embedder, reader: ShardReader, spec: PreprocessSpec, config: ProjectionConfig, seed: int,
    n_workers: int = 0,
) -> Projection:
    """From what the head gives for train images, plain and augmented, to the numbers of the embedding.

    Raises:
        ConfigError: the embeddings span fewer directions than `config.out_dim`.
    """
    by_similarity = config.kind == "similarity"
    chosen = reader.subset(np.array(choose_rows(reader, config.images, seed)))
    views = augmented_views(config.augmented_views, config.augmentation) if config.augmentation else None
    outputs, features = outputs_and_features(embedder, chosen, spec, views, by_similarity, n_workers)
    teacher = wide_similarities(outputs, features, config.tower_share) if by_similarity else None
    if (config.fitted_on or config.after) == "unit":
        outputs = unit_rows(outputs)
    try:
        axes = fit_partly_whitened(outputs, config.out_dim, config.whitening)
    except ValueError as error:
        raise ConfigError(f"projection: {error}") from error
    return axes if teacher is None else fit_similarity_projection(outputs, teacher, axes, config.temperature, seed)


@torch.no_grad()
def outputs_and_features(
    embedder: Embedder, reader: ShardReader, spec: PreprocessSpec, views: AugmentedViews | None = None,
    keep_features: bool = True, n_workers: int = 0,
) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 [M, out_dim] of the head before unit length, and [M, width] of the tower (None where they need not be
    kept: half a GB for 130,000 images), of all samples and then of their augmented views: M = N * (1 + n_views).

    `embedder` in evaluation mode, on any device.
    """
    looks = [OrderedBatches(reader, spec, _BATCH)]
    if views is not None:
        looks.append(numbered_views(reader, views, spec.image_px, _BATCH))
    device, sizes_px = device_of(embedder), torch.from_numpy(reader.table.sizes_px)
    outputs, towers = [], []
    for batches in looks:
        first = 0
        for features in feature_rows(embedder.backbone, batches, spec, "projection", n_workers=n_workers):
            rows = torch.arange(first, first := first + len(features)) % len(reader)
            raw = embedder.project_raw(torch.from_numpy(features).to(device), sizes_px[rows].to(device))
            outputs.append(raw.cpu().numpy())
            if keep_features:
                towers.append(features)
    return np.concatenate(outputs), np.concatenate(towers) if keep_features else None


def projected(embedder: Embedder, head_spec: dict, fitted: Projection, after: str) -> tuple[Embedder, dict]:
    """The embedder with the projection in its head, and the head's description.

    After `raw` a head that ends in a linear layer gets a shorter one: two linear maps in a row are one. Otherwise the
    projection is a layer of its own.
    """
    head = folded(embedder.head)
    ends_linear = isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear)
    if after == "raw" and ends_linear:
        layer = _folded_into(head[-1], fitted)
        return _rebuilt(embedder, nn.Sequential(*copy.deepcopy(list(head)[:-1]), layer)), _shorter(head_spec, fitted)
    layer = projection_layer(fitted)
    spec = head_spec | {"projection": {"out_dim": layer.out_features, "after": after}}
    head = with_projection(copy.deepcopy(embedder.head).cpu(), layer.in_features, layer.out_features, after)
    head[-1].load_state_dict(layer.state_dict())
    return _rebuilt(embedder, head), spec


def _folded_into(last: nn.Linear, fitted: Projection) -> nn.Linear:
    """The layer that does what `last` and then the projection do: M (A x + a - m) = (M A) x + M (a - m)."""
    a = 0.0 if last.bias is None else last.bias.detach().cpu().double().numpy()
    matrix = fitted.matrix @ last.weight.detach().cpu().double().numpy()
    layer = nn.Linear(*matrix.shape[::-1])
    layer.weight.data = torch.from_numpy(matrix).to(torch.float32)
    layer.bias.data = torch.from_numpy(fitted.matrix @ (a - fitted.mean)).to(torch.float32)
    return layer


def _shorter(head_spec: dict, fitted: Projection) -> dict:
    """The head's description with the projection folded in: `parallel` layers are one by now, and there is a bias."""
    options = {name: v for name, v in (head_spec.get("options") or {}).items() if name != "bias"}
    spec = head_spec | {"out_dim": len(fitted.matrix), "options": options}
    return spec | {"kind": "linear", "options": {}} if head_spec["kind"] == "parallel" else spec


def _rebuilt(embedder: Embedder, head: nn.Module) -> Embedder:
    return Embedder(embedder.backbone, head, embedder.image_sizes).train(embedder.training)
