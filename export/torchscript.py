"""Trained embedder -> TorchScript file for the host, by one route for every tower.

A scripted wrapper holds the tower: open_clip's transformers as `PortableViT`, scripted too; every other tower
traced at its image size with portable spellings. Not frozen: a frozen model no longer follows `.to(device)`.
"""

import copy
import errno
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from data_prep.errors import ContractError
from data_prep.files import writing_atomically
from export.archive import rewrite_for_host
from export.pil_resize import pillow_shrinks_tall_first
from export.portable_calls import portable_calls
from export.portable_vit import PortableViT, is_portable, portable_vit
from export.submission_model import SubmissionModel
from train.data.preprocessing import PreprocessSpec
from train.model.embedder import N_SIZE_NUMBERS, Embedder
from train.model.heads import folded

_CODE_BYTES = 16 << 20  # room for what a file holds beside its weights


def export_submission(embedder: Embedder, preprocess: PreprocessSpec, path: Path) -> None:
    """Write the file; the embedder is left as it was.

    `embedder` is a `train.model.embedder.Embedder`. The same weights
    give the same bytes in a fresh process; TorchScript numbers classes by what a process compiled before.
    What the file must satisfy is checked by `export.contract`, not here.

    Raises:
        ContractError: the tower cannot be traced or the wrapper not compiled.
        OSError: the disk has no room for the file and for the copy it is made of.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scripted = script_submission(embedder, preprocess)
    _require_room(scripted, path)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        saved = Path(folder) / "saved_model.pt"
        with _quiet():
            torch.jit.save(scripted, str(saved))
        with writing_atomically(path) as unfinished:
            rewrite_for_host(saved, unfinished)


def script_submission(embedder: Embedder, preprocess: PreprocessSpec) -> torch.jit.ScriptModule:
    """The compiled model: on the CPU, float32, in evaluation mode, nothing asking for gradients.

    Raises:
        ContractError: the tower cannot be traced or the wrapper not compiled.
    """
    try:
        with _quiet(), torch.no_grad():
            tower = portable_tower(embedder.backbone)
            if not isinstance(tower, PortableViT):
                tower = _traced(tower, torch.zeros(1, 3, preprocess.image_px, preprocess.image_px))
            width = embedder.backbone.width + (N_SIZE_NUMBERS if embedder.image_sizes else 0)
            head = _traced(folded(embedder.head), torch.zeros(1, width))
            model = SubmissionModel(tower, head, preprocess, pillow_shrinks_tall_first(), embedder.image_sizes)
            return torch.jit.script(model.cpu().eval().requires_grad_(False))
    except (RuntimeError, NotImplementedError) as error:
        raise ContractError(f"export: the model does not compile to TorchScript: {error}") from error


def portable_tower(backbone: nn.Module) -> nn.Module:
    """The tower as it is exported: a `PortableViT` on the same weights where one can stand for it.

    Else the backbone itself, to be run inside `portable_calls()`.
    """
    tower = getattr(backbone, "tower", None)
    return portable_vit(tower) if tower is not None and is_portable(tower) else backbone


def _require_room(scripted: torch.jit.ScriptModule, path: Path) -> None:
    """Ask beforehand: `torch.jit.save` ends the whole process when the disk is full."""
    weights_bytes = sum(value.numel() * value.element_size() for value in scripted.state_dict().values())
    if shutil.disk_usage(path.parent).free < 2 * weights_bytes + _CODE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _traced(module: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """What `module` does to an input of the example's shape; whether it does the same is `export.parity`'s.

    A copy is traced, float32 on the CPU in evaluation mode: the original keeps its gradients and its mode.
    """
    module = copy.deepcopy(module).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)
    with portable_calls():
        return torch.jit.trace(module, example, check_trace=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without two notes of torch: that TorchScript is old (the host reads nothing else), and that a trace
    fixes sizes (it is meant to: the wrapper gives the tower one size only).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        yield
