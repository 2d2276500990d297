"""Every tower that must run on the host: tiny for the default tests, at its real width for PyTorch 1.11 itself.

    python -m tests.export.tower_table      writes tower_operators.json: the operators of each

Weights are random, and none is left at zero or one: a layer scale of 1e-5 would hide the whole block behind it.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import open_clip
import timm
import torch

from export.torchscript import script_submission
from export.unknown_operators import operators_of_model
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head
from train.model.image_model import ImageModel

GOLDEN_PATH = Path(__file__).with_name("tower_operators.json")
SHARED = "every tower"
_NOISE = 0.03


@dataclass(frozen=True)
class Tower:
    """`tiny` and `shallow` are options of the library's own builder; tiny ones are built for `tiny_px`, a side in
    pixels. `tiny` is None where a tower cannot be made small. The default tests have those with `is_quick`: one of
    several that are the same once they are tiny, and none that takes seconds.
    """

    kind: str
    arch: str
    image_px: int
    tiny: dict | None
    tiny_px: int = 64
    shallow: dict = field(default_factory=dict)
    output: str = "own"
    is_quick: bool = False
    is_randomised: bool = True

    @property
    def name(self) -> str:
        """As it stands in `tower_operators.json`."""
        return f"{self.kind} {self.arch}" + ("" if self.output == "own" else f" ({self.output})")


def _clip(arch: str, image_px: int, output: str = "own", is_quick: bool = False) -> Tower:
    tiny = {"layers": 2, "width": 48, "head_width": 24, "mlp_ratio": 2.0}
    return Tower("open_clip", arch, image_px, tiny, shallow={"layers": 2}, output=output, is_quick=is_quick)


def _vit(arch: str, image_px: int, tiny_px: int = 32, is_quick: bool = True) -> Tower:
    tiny = {"embed_dim": 48, "depth": 2, "num_heads": 2}
    return Tower("timm", arch, image_px, tiny, tiny_px, {"depth": 2}, is_quick=is_quick)


_MAPS = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
_SWIN = {"embed_dim": 16, "depths": (2, 1, 1, 1), "num_heads": (1, 2, 4, 8), "window_size": 2}
_RESNET = {"layers": (1, 1, 1, 1)}
_TOWERS = (
    _clip("ViT-B-32", 224, is_quick=True),
    _clip("ViT-B-16", 224),
    _clip("ViT-B-16-quickgelu", 224, output="token", is_quick=True),
    _clip("ViT-L-14", 224),
    _clip("ViT-L-14-336-quickgelu", 336),
    _clip("ViT-L-14-CLIPA", 224, is_quick=True),  # averages its patches
    _clip("ViT-H-14", 224),
    _clip("ViT-H-14", 224, output="token"),
    _clip("ViT-bigG-14", 224),
    _vit("vit_so400m_patch14_siglip_384", 384, 28),  # SigLIP
    _vit("vit_so400m_patch14_siglip_gap_384", 384, 28),
    _vit("vit_so400m_patch16_siglip_384", 384, is_quick=False),  # SigLIP2
    _vit("vit_giantopt_patch16_siglip_384", 384, is_quick=False),
    _vit("vit_pe_core_base_patch16_224", 224, is_quick=False),
    _vit("vit_pe_core_large_patch14_336", 336, 28),
    _vit("eva02_base_patch14_448", 448, 28),
    _vit("eva02_large_patch14_clip_336", 336, 28, is_quick=False),
    _vit("eva02_enormous_patch14_clip_224", 224, 28),
    # MobileCLIP2: B, S3 and S4, L-14; S0 and S2 are MobileCLIP's first two.
    Tower("timm", "vit_base_mci_224", 224, {"depth": 1}, shallow={"depth": 2}),
    Tower("timm", "fastvit_mci2", 256, None, shallow={"layers": (1, 1, 1, 1)}),
    Tower("timm", "fastvit_mci3", 256, None, shallow={"layers": (1, 1, 1, 1, 1)}),
    Tower("timm", "fastvit_mci4", 256, None, shallow={"layers": (1, 1, 1, 1, 1)}),
    _vit("vit_large_patch14_clip_224", 224, 28, is_quick=False),
    _vit("vit_base_patch16_224", 224),
    _vit("vit_base_patch14_dinov2", 518, 28, is_quick=False),
    _vit("vit_base_patch14_reg4_dinov2", 518, 28),
    _vit("vit_giant_patch14_reg4_dinov2", 224, 28),  # SwiGLU
    _vit("vit_base_patch16_dinov3", 256),
    _vit("vit_huge_plus_patch16_dinov3", 256),  # SwiGLU
    _vit("beitv2_base_patch16_224", 224, is_quick=False),
    Tower("timm", "swin_base_patch4_window7_224", 224, _SWIN, shallow={"depths": (2, 1, 1, 1)}),
    Tower("timm", "tf_efficientnet_lite0", 224, {}, is_quick=True),
    Tower("timm", "efficientnet_b0", 224, None),
    # As built: 40 blocks of random statistics are chaotic, 1e-6 in the picture turns the eager embedding by 35 degrees.
    Tower("timm", "tf_efficientnetv2_s", 224, None, is_randomised=False),
    Tower("timm", "convnext_base", 224, _MAPS, shallow={"depths": (1, 1, 1, 1)}, is_quick=True),
    Tower("timm", "convnextv2_base", 224, _MAPS, shallow={"depths": (1, 1, 1, 1)}),
    Tower("timm", "resnet50", 224, _RESNET, shallow=_RESNET, output="gem", is_quick=True),
    Tower("timm", "resnet101", 224, _RESNET, shallow=_RESNET),
)
TOWERS = {tower.name: tower for tower in _TOWERS}


def tiny_model(tower: Tower) -> ImageModel:
    """A few channels and layers of the real classes, in evaluation mode."""
    return _model(tower, tower.tiny, tower.tiny_px)


def shallow_model(tower: Tower) -> ImageModel:
    """The real width, heads and image size, but only a few layers of many equal ones."""
    return _model(tower, tower.shallow, tower.image_px)


def golden_operators() -> dict[str, list[str]]:
    """Tower -> every operator of its exported form."""
    content = json.loads(GOLDEN_PATH.read_text(encoding="utf-8"))
    shared = content.pop(SHARED)
    return {name: sorted(shared + own) for name, own in content.items()}


def regenerate() -> None:
    """Write the golden file: what all towers share once, then what each has beside it."""
    found = {}
    for name, tower in TOWERS.items():
        model = shallow_model(tower) if tower.tiny is None else tiny_model(tower)
        found[name] = set(operators_of_model(script_submission(model)))
        print(f"{name}: {len(found[name])} operators", flush=True)
    shared = set.intersection(*found.values())
    content = {SHARED: sorted(shared)} | {name: sorted(own - shared) for name, own in found.items()}
    GOLDEN_PATH.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _model(tower: Tower, options: dict, image_px: int) -> ImageModel:
    with torch.random.fork_rng(devices=[]), _built_with(options):
        torch.manual_seed(0)
        backbone = build_backbone(BackboneSpec(tower.kind, tower.arch, None, image_px, output=tower.output))
        if tower.is_randomised:
            _randomise(backbone)
        embedder = Embedder(backbone, build_head("linear", backbone.width, 64)).eval()
    return ImageModel([embedder], [PreprocessSpec(image_px, backbone.mean, backbone.std)])


@contextmanager
def _built_with(options: dict) -> Iterator[None]:
    """Both libraries build with these options; the way through this project's doors is the usual one."""
    config_of = open_clip.get_model_config

    def changed_config(arch: str) -> dict:
        config = config_of(arch)
        return {**config, "vision_cfg": {**config["vision_cfg"], **options}}

    with (mock.patch.object(timm, "create_model", functools.partial(timm.create_model, **options)),
          mock.patch.object(open_clip, "get_model_config", changed_config)):
        yield


def _randomise(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.data.add_(_NOISE * torch.randn_like(parameter))
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 2.0)


if __name__ == "__main__":
    regenerate()
