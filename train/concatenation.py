"""Several towers in one checkpoint: its format, and one loader for it and for checkpoints of one tower."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from train.checkpoint import (
    CONCATENATION_FORMAT,
    LoadedCheckpoint,
    describe_member,
    read_content,
    rebuild_member,
    write_content,
)
from train.model.backbones import BackboneSpec
from train.model.image_model import ImageModel


@dataclass(frozen=True)
class LoadedModel:
    """What is scored and exported. `backbone_specs`, one a member, say which weights training started from."""

    model: ImageModel
    backbone_specs: tuple[BackboneSpec, ...]
    meta: dict
    sha256: str


def load_model(path: Path) -> LoadedModel:
    """A checkpoint of one tower or of several, in evaluation mode on the CPU. Raises as `load_checkpoint`."""
    path = Path(path)
    content = read_content(path)
    is_joined = content["format"] == CONCATENATION_FORMAT
    parts = content["members"] if is_joined else [content]
    built = [rebuild_member(part, path) for part in parts]
    try:
        model = ImageModel(
            [embedder for embedder, _ in built],
            [spec for _, spec in built],
            content["weights"] if is_joined else None,
            _layer(content["projection"]) if is_joined and content["projection"] is not None else None,
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: describes a model that this code does not build: {error}") from error
    specs = tuple(embedder.backbone.spec for embedder, _ in built)
    return LoadedModel(model.eval(), specs, content["meta"], sha256_of_file(path))


def save_concatenation(
    path: Path, members: Sequence[LoadedCheckpoint], weights: Sequence[float], projection: nn.Linear | None, meta: dict
) -> None:
    """Write atomically: the members whole, without their centres, which lie in each one's own space."""
    layer = None if projection is None else {
        name: value.detach().cpu().contiguous() for name, value in projection.state_dict().items()
    }
    write_content(path, {
        "format": CONCATENATION_FORMAT,
        "members": [describe_member(one.embedder, one.head_spec, one.preprocess) for one in members],
        "weights": [float(weight) for weight in weights],
        "projection": layer,
        "meta": meta,
    })


def _layer(state: dict[str, torch.Tensor]) -> nn.Linear:
    layer = nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    layer.load_state_dict(state)
    return layer
