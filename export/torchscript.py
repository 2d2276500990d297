"""Trained model -> TorchScript file for the host, by one route for every tower.

A scripted wrapper holds the tower: open_clip's transformers as `PortableViT`, scripted too; every other tower
traced at its image sizes with portable spellings. Not frozen: a frozen model no longer follows `.to(device)`.
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
from export.half_storage import store_half
from export.pil_resize import pillow_shrinks_tall_first
from export.portable_calls import portable_calls
from export.portable_vit import PortableViT, is_portable, portable_vit
from export.submission_model import FrameViews, MemberModel, SizeModel, SubmissionModel
from train.data.preprocessing import PreprocessSpec
from train.model.embedder import N_SIZE_NUMBERS, Embedder
from train.model.heads import folded
from train.model.image_model import ImageModel

_CODE_BYTES = 16 << 20  # room for what a file holds beside its weights


def export_submission(model: ImageModel, path: Path, weights: str = "fp32") -> None:
    """Write the file; the model is left as it was.

    The same weights give the same bytes in a fresh process; TorchScript numbers classes by what a process compiled
    before. What the file must satisfy is checked by `export.contract`, not here.

    Raises:
        ContractError: a tower cannot be traced or the wrapper not compiled.
        OSError: the disk has no room for the file and for the copy it is made of.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scripted = script_submission(model, weights)
    _require_room(scripted, path)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        saved = Path(folder) / "saved_model.pt"
        with _quiet():
            torch.jit.save(scripted, str(saved))
        with writing_atomically(path) as unfinished:
            rewrite_for_host(saved, unfinished)


def script_submission(model: ImageModel, weights: str = "fp32") -> torch.jit.ScriptModule:
    """The compiled model: on the CPU, float32, in evaluation mode, nothing asking for gradients.

    `weights`: fp32 or fp16, how the towers' lie in a file (`export.half_storage`).

    Raises:
        ContractError: a tower cannot be traced or the wrapper not compiled.
    """
    try:
        with _quiet(), torch.no_grad():
            members = [
                _member(embedder, spec, weight, weights)
                for embedder, spec, weight in zip(model.embedders, model.specs, model.weights)
            ]
            projection = model.projection
            if projection is not None:
                projection = _traced(_for_tracing(projection), torch.zeros(1, projection.in_features))
            whole = SubmissionModel(members, projection)
            return torch.jit.script(whole.cpu().eval().requires_grad_(False))
    except (RuntimeError, NotImplementedError) as error:
        raise ContractError(f"export: the model does not compile to TorchScript: {error}") from error


def _member(embedder: Embedder, spec: PreprocessSpec, weight: float, weights: str) -> MemberModel:
    """One tower with all its views. A traced tower is traced once a size; the traces share its weights."""
    tower = portable_tower(embedder.backbone)
    is_traced = weights == "fp16" or not isinstance(tower, PortableViT)
    if not isinstance(tower, PortableViT):
        tower = _for_tracing(tower)
    if weights == "fp16":
        tower = store_half(tower)
    width = embedder.backbone.width + (N_SIZE_NUMBERS if embedder.image_sizes else 0)
    head = _traced(_for_tracing(folded(embedder.head)), torch.zeros(1, width))
    sizes = []
    for image_px, frames in spec.frames_by_size().items():
        views = [FrameViews(spec, frame, pillow_shrinks_tall_first()) for frame in frames]
        n_views = sum(len(view.flips) for view in views)
        own = _traced(tower, torch.zeros(n_views, 3, image_px, image_px)) if is_traced else tower
        sizes.append(SizeModel(own, head, views, embedder.image_sizes))
    return MemberModel(sizes, weight)


def portable_tower(backbone: nn.Module) -> nn.Module:
    """The tower as it is exported: a `PortableViT` on the same weights where one can stand for it.

    Else the backbone itself, to be run inside `portable_calls()`.
    """
    tower = getattr(backbone, "tower", None)
    return portable_vit(tower) if tower is not None and is_portable(tower) else backbone


def _require_room(scripted: torch.jit.ScriptModule, path: Path) -> None:
    """Ask beforehand: `torch.jit.save` ends the whole process when the disk is full."""
    # Traces of one tower share their weights, and the file holds them once.
    storages = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
                for value in scripted.state_dict().values()}
    if shutil.disk_usage(path.parent).free < 2 * sum(storages.values()) + _CODE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _for_tracing(module: nn.Module) -> nn.Module:
    """A copy, float32 on the CPU in evaluation mode: the original keeps its gradients and its mode."""
    return copy.deepcopy(module).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)


def _traced(module: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """What `module` does to an input of the example's shape; whether it does the same is `export.parity`'s."""
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
