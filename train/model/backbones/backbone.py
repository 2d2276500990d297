"""One interface for every tower, and the one place that knows which kinds exist."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from data_prep.errors import ConfigError, unknown_name

KINDS = ("open_clip", "timm", "tiny")
OUTPUTS = ("own", "token")


@dataclass(frozen=True)
class BackboneSpec:
    """Everything needed to build a tower again.

    `weights`: None (random), `package:NAME`, `file:PATH`, `hub:TAG`. `image_px` fixes the position grid of a
    transformer. `patch_stride` below the patch size makes overlapping patches (1st place's last stages).
    `output`: `own` (what the tower gives: CLIP's projection, timm's pooling) or `token` (a transformer's class token
    after the last norm, without projection or pooling: 2nd place).
    `narrow_width` builds a transformer of the same depth and parameter names with this many channels: smoke runs.
    """

    kind: str
    arch: str
    weights: str | None
    image_px: int
    patch_stride: int | None = None
    output: Literal["own", "token"] = "own"
    narrow_width: int | None = None

    def to_dict(self) -> dict:
        """Plain values for the checkpoint."""
        return asdict(self)


class Backbone(nn.Module):
    """A tower with its name: images [B, 3, H, W] -> features [B, width].

    Attributes: `kind`, `arch`, `width`, `mean` and `std` (of pixels in 0..1), `tower` (the wrapped module),
    `groups` (parameter names of this module, input to output, a list a layer group).
    """

    def __init__(self, spec: BackboneSpec, tower: nn.Module, width: int, statistics: tuple, groups: list) -> None:
        super().__init__()
        self.spec = spec
        self.kind = spec.kind
        self.arch = spec.arch
        self.width = width
        self.mean, self.std = statistics
        self.groups = groups
        self.tower = tower

    def layer_groups(self) -> list[list[str]]:
        """Parameter names from the input to the output, prefixed as in `named_parameters()`."""
        return [[f"tower.{name}" for name in group] for group in self.groups]

    @property
    def takes_any_size(self) -> bool:
        """Convolutions do; a transformer has one position embedding a patch of the size it was built for."""
        return self.kind == "tiny" or (self.kind == "timm" and not hasattr(self.tower, "set_input_size"))

    def forward(self, images: Tensor) -> Tensor:
        return self.tower(images)


def build_backbone(spec: BackboneSpec) -> Backbone:
    """Build the tower and load its weights.

    Raises:
        ConfigError: unknown kind, architecture, weights or output; weights that do not fit.
    """
    if spec.kind not in KINDS:
        raise unknown_name("backbone kind", spec.kind, KINDS, "backbone")
    if spec.output not in OUTPUTS:
        raise unknown_name("output", spec.output, OUTPUTS, f"backbone {spec.arch!r}")
    if spec.narrow_width is not None and spec.weights is not None:
        raise ConfigError(f"backbone {spec.arch!r}: narrow_width {spec.narrow_width} leaves no room for weights "
                          f"{spec.weights!r}; expected null")
    if spec.kind == "tiny":
        from train.model.backbones import tiny

        return tiny.build(spec)
    if spec.kind == "timm":
        from train.model.backbones import timm_tower

        return timm_tower.build(spec)
    from train.model.backbones import open_clip_tower

    return open_clip_tower.build(spec)


def load_state_file(path: str) -> dict[str, Tensor]:
    """A plain state dict from a local `.pt`/`.pth`/`.bin` or `.safetensors` file; never runs code from it."""
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"backbone weights: no file {file}")
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(str(file))
    loaded = torch.load(file, map_location="cpu", weights_only=True)
    state = loaded.get("state_dict", loaded)
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise ConfigError(f"backbone weights: {file} is not a plain state dict of tensors")
    return state


def load_strictly(tower: nn.Module, state: dict[str, Tensor], where: str) -> None:
    """Load every tensor or say which are missing, unexpected or of another shape."""
    own = tower.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = [f"{k} {tuple(state[k].shape)} for {tuple(own[k].shape)}" for k in own.keys() & state.keys()
              if state[k].shape != own[k].shape]
    if missing or unexpected or shapes:
        raise ConfigError(
            f"{where}: weights of another model: missing {_some(missing)}; unexpected {_some(unexpected)}; "
            f"other shapes {_some(sorted(shapes))}"
        )
    tower.load_state_dict(state)


def _some(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) + more) if names else "none"
