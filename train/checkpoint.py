"""One file from which the embedder is rebuilt with nothing else: no hub, no config, no shards."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone, load_strictly
from train.model.embedder import Embedder, build_embedder

FORMAT = 1
_KEYS = {"format", "backbone", "head", "preprocess", "embedder", "centres", "class_names", "meta"}


@dataclass(frozen=True)
class LoadedCheckpoint:
    """`centres` float32 [C, K, D] with their `class_names` (`source/class_key`), of the stage and of the stages before
    it, or None where there are none.

    `backbone_spec.weights` says which weights training started from (`package:...`, `hub:...`), for baselines.
    """

    embedder: Embedder
    preprocess: PreprocessSpec
    backbone_spec: BackboneSpec
    head_spec: dict
    centres: Tensor | None
    class_names: tuple[str, ...]
    meta: dict
    sha256: str


def save_checkpoint(
    path: Path, embedder: Embedder, head_spec: dict, preprocess: PreprocessSpec,
    classes: tuple[Tensor | None, tuple[str, ...]], meta: dict,
) -> None:
    """Write atomically; float tensors as float32 on the CPU. `meta` holds plain values only (it must load as data)."""
    centres, class_names = classes
    content = {
        "format": FORMAT,
        "backbone": embedder.backbone.spec.to_dict(),
        "head": head_spec,
        "preprocess": preprocess.to_dict(),
        "embedder": {name: value.detach().cpu().contiguous() for name, value in embedder.state_dict().items()},
        "centres": None if centres is None else centres.detach().cpu(),
        "class_names": list(class_names),
        "meta": meta,
    }
    with writing_atomically(Path(path)) as unfinished_path, open(unfinished_path, "wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # what torch makes of a full disk
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_checkpoint(path: Path) -> LoadedCheckpoint:
    """Rebuild the embedder in evaluation mode on the CPU.

    Raises:
        ConfigError: no such file, not one of our checkpoints, or weights that do not fit the model it describes.
    """
    path = Path(path)
    content = _read(path)
    try:
        spec = BackboneSpec(**content["backbone"])
        # The tower is built with the weights it is about to receive, never with pretrained ones.
        backbone = build_backbone(replace(spec, weights=None))
        backbone.spec = spec
        embedder = build_embedder(backbone, content["head"])
        preprocess = PreprocessSpec.from_dict(content["preprocess"])
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{path}: describes a model that this code does not build: {error}") from error
    load_strictly(embedder, content["embedder"], str(path))
    backbone.mean, backbone.std = preprocess.mean, preprocess.std
    return LoadedCheckpoint(
        embedder=embedder.eval(),
        preprocess=preprocess,
        backbone_spec=spec,
        head_spec=content["head"],
        centres=content["centres"],
        class_names=tuple(content["class_names"]),
        meta=content["meta"],
        sha256=sha256_of_file(path),
    )


def _read(path: Path) -> dict:
    if not path.is_file():
        raise ConfigError(f"{path}: no such checkpoint; make train writes it")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for files that are not its own
        # Its first sentence: what follows tells the user to switch the safety off.
        reason = str(error).partition(". ")[0].partition("\n")[0]
        raise ConfigError(f"{path}: not a checkpoint that loads as plain data: {reason}") from error
    if not isinstance(content, dict) or content.keys() != _KEYS:
        got = sorted(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise ConfigError(f"{path}: not one of this project's checkpoints: got {got}, expected {sorted(_KEYS)}")
    if content["format"] != FORMAT:
        raise ConfigError(f"{path}: checkpoint format {content['format']}, this code reads {FORMAT}")
    return content
