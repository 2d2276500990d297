"""One file from which the embedder is rebuilt with nothing else: no hub, no config, no shards."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone, load_strictly
from train.model.embedder import Embedder, build_embedder
from train.model.image_model import ImageModel
from train.saved_zip import inner_names

FORMAT = 1
CONCATENATION_FORMAT = 2  # several towers, see train/concatenation.py
_KEYS_BY_FORMAT = {
    FORMAT: {"format", "backbone", "head", "preprocess", "embedder", "centres", "class_names", "meta"},
    CONCATENATION_FORMAT: {"format", "members", "weights", "projection", "meta"},
}


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

    @property
    def model(self) -> ImageModel:
        """The embedder with its preprocessing and views: what is scored and exported."""
        return ImageModel([self.embedder], [self.preprocess])


def save_checkpoint(
    path: Path, embedder: Embedder, head_spec: dict, preprocess: PreprocessSpec,
    classes: tuple[Tensor | None, tuple[str, ...]], meta: dict,
) -> None:
    """Write atomically; float tensors as float32 on the CPU. `meta` holds plain values only (it must load as data)."""
    centres, class_names = classes
    write_content(path, describe_member(embedder, head_spec, preprocess) | {
        "format": FORMAT,
        "centres": None if centres is None else centres.detach().cpu(),
        "class_names": list(class_names),
        "meta": meta,
    })


def load_checkpoint(path: Path) -> LoadedCheckpoint:
    """Rebuild the embedder in evaluation mode on the CPU.

    Raises:
        ConfigError: no such file, not one of our checkpoints, several towers in one, or weights that do not fit the
            model it describes.
    """
    path = Path(path)
    content = read_content(path)
    if content["format"] == CONCATENATION_FORMAT:
        raise ConfigError(f"{path}: {len(content['members'])} towers in one, made by train.concatenate; expected a "
                          "checkpoint of one tower, such as its members")
    embedder, preprocess = rebuild_member(content, path)
    return LoadedCheckpoint(
        embedder=embedder,
        preprocess=preprocess,
        backbone_spec=embedder.backbone.spec,
        head_spec=content["head"],
        centres=content["centres"],
        class_names=tuple(content["class_names"]),
        meta=content["meta"],
        sha256=sha256_of_file(path),
    )


def describe_member(
    embedder: Embedder, head_spec: dict, preprocess: PreprocessSpec, state: Mapping[str, Tensor] | None = None
) -> dict:
    """Plain values and tensors from which `rebuild_member` makes the same embedder; `state`: in place of its own."""
    state = embedder.state_dict() if state is None else state
    return {
        "backbone": embedder.backbone.spec.to_dict(),
        "head": head_spec,
        "preprocess": preprocess.to_dict(),
        "embedder": {name: value.detach().cpu().contiguous() for name, value in state.items()},
    }


def rebuild_member(content: dict, path: Path) -> tuple[Embedder, PreprocessSpec]:
    """The inverse of `describe_member`; in evaluation mode. `path` is for errors."""
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
    return embedder.eval(), preprocess


def write_content(path: Path, content: dict) -> None:
    """Save a checkpoint's content under its name once it is whole."""
    with writing_atomically(Path(path)) as unfinished_path:
        stream_content(unfinished_path, content)


def stream_content(path: Path, content: dict) -> None:
    """Save without a second copy in memory, to a file that is incomplete if it fails. A full disk is an OSError."""
    with open(path, "wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # what torch makes of a full disk
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def read_content(path: Path) -> dict:
    """A checkpoint's content, of either format, loaded as plain data.

    Raises:
        ConfigError: no such file, or not one of this project's checkpoints.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: a folder; the checkpoint in it would be {path / 'final.ckpt'}")
    if not path.is_file():
        raise ConfigError(f"{path}: no such checkpoint; make train writes it")
    if "constants.pkl" in inner_names(path):  # of TorchScript's code
        raise ConfigError(f"{path}: an exported file; give the checkpoint that it was made from, such as "
                          f"{path.with_name('final.ckpt')}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for files that are not its own
        # Its first sentence: what follows tells the user to switch the safety off.
        reason = str(error).partition(". ")[0].partition("\n")[0]
        raise ConfigError(f"{path}: not a checkpoint that loads as plain data: {reason}") from error
    if not isinstance(content, dict) or content.keys() not in _KEYS_BY_FORMAT.values():
        got = sorted(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise ConfigError(f"{path}: not one of this project's checkpoints: got {got}, expected "
                          f"{sorted(_KEYS_BY_FORMAT[FORMAT])}")
    if _KEYS_BY_FORMAT.get(content["format"]) != content.keys():
        known = " and ".join(str(number) for number in _KEYS_BY_FORMAT)
        raise ConfigError(f"{path}: checkpoint format {content['format']}, this code reads {known}")
    return content
