"""The one door to open_clip: a CLIP model's image tower, any resolution and patch stride; both halves as released."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_prep.errors import ConfigError, unknown_name
from data_prep.files import sha256_of_file
from train.data.preprocessing import PreprocessSpec
from train.model.backbones.backbone import Backbone, BackboneSpec, load_state_file, load_strictly

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def build(spec: BackboneSpec) -> Backbone:
    """Images [B, 3, H, W] at `spec.image_px` -> projected image embedding [B, embed_dim].

    With `output: token` the class token after the last norm [B, width of the transformer], the projection removed.

    Raises:
        ConfigError: unknown model or weights tag; weights of another model; a class token of a tower that averages.
    """
    import open_clip
    from open_clip.model import _build_vision_tower

    config = open_clip.get_model_config(spec.arch)
    if config is None:
        raise unknown_name("open_clip model", spec.arch, open_clip.list_models(), "backbone")
    if "timm_model_name" in config["vision_cfg"]:
        raise ConfigError(f"backbone {spec.arch!r}: its image tower is timm's; use kind: timm")
    if not isinstance(config["vision_cfg"].get("layers"), int) or "attentional_pool" in config["vision_cfg"]:
        raise ConfigError(f"backbone {spec.arch!r}: only plain vision transformers of open_clip, no ResNet, no CoCa")
    if spec.narrow_width is not None:
        config = _narrowed(config, spec.narrow_width)
    state = _image_tower_state(spec)
    # Only the image half is built: the text half would cost memory and time and is never used.
    tower = _build_vision_tower(config["embed_dim"], config["vision_cfg"], config.get("quick_gelu", False))
    if state is not None:
        load_strictly(tower, state, f"backbone weights {spec.weights}")
    set_position_grid(tower, spec.image_px, spec.patch_stride)
    width = config["embed_dim"]
    if spec.output == "token":
        if tower.pool_type != "tok":
            raise ConfigError(f"backbone {spec.arch!r}: output: token, but this tower averages its patches")
        tower.proj = None
        width = tower.conv1.out_channels
    return Backbone(spec, tower, width, (CLIP_MEAN, CLIP_STD), _layer_groups(tower))


def _narrowed(config: dict, width: int) -> dict:
    """The same layers with `width` channels, two attention heads and an embedding of `width`."""
    vision = {**config["vision_cfg"], "width": width, "head_width": width // 2, "mlp_ratio": 2.0}
    return {**config, "vision_cfg": vision, "embed_dim": width}


def _image_tower_state(spec: BackboneSpec) -> dict[str, Tensor] | None:
    """The tower's tensors from the hub or a file; a file of the whole CLIP model has them under `visual.`."""
    if spec.weights is None:
        return None
    source, _, name = spec.weights.partition(":")
    if source == "file":
        state = load_state_file(name)
    elif source == "hub":
        state = load_state_file(_download(spec.arch, name))
    else:
        raise unknown_name("weights", spec.weights, ["null", "file:<key>", "hub:<tag>"], f"backbone {spec.arch!r}")
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    return visual or state


def _download(arch: str, tag: str) -> str:
    """Fetch open_clip's own release of the weights; the local path."""
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    known = list_pretrained_tags_by_model(arch)
    if tag not in known:
        raise unknown_name("weights tag", tag, known, f"backbone {arch!r}")
    return download_pretrained(get_pretrained_cfg(arch, tag))


def set_position_grid(tower: nn.Module, image_px: int, patch_stride: int | None) -> None:
    """Make the tower read `image_px` squares with the given patch stride; resize its position embedding to fit.

    The class token's embedding is kept, the grid is resized by antialiased bicubic interpolation (as open_clip does
    for a changed resolution). A stride below the patch size overlaps the patches (1st place: 290 px, patch 14,
    stride 12 gives (290 - 14) // 12 + 1 = 24 by 24 patches).
    """
    patch_px = tower.conv1.kernel_size[0]
    stride = patch_stride or patch_px
    n_side = (image_px - patch_px) // stride + 1
    if n_side < 1:
        raise ConfigError(f"backbone: image_px {image_px} is below the patch size {patch_px}")
    tower.conv1.stride = (stride, stride)
    old = tower.positional_embedding.data  # [1 + n_old * n_old, width]
    n_old = round((old.shape[0] - 1) ** 0.5)
    if n_old != n_side:
        grid = old[1:].reshape(1, n_old, n_old, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid.float(), size=(n_side, n_side), mode="bicubic", antialias=True, align_corners=False)
        grid = grid.permute(0, 2, 3, 1).reshape(n_side * n_side, -1).to(old.dtype)
        tower.positional_embedding = nn.Parameter(torch.cat([old[:1], grid]))
    tower.image_size = (image_px, image_px)
    tower.grid_size = (n_side, n_side)


def _layer_groups(tower: nn.Module) -> list[list[str]]:
    """Stem, each residual block, then the last norm and projection."""
    names = [name for name, _ in tower.named_parameters()]
    blocks = [[n for n in names if n.startswith(f"transformer.resblocks.{i}.")]
              for i in range(len(tower.transformer.resblocks))]
    stem = [n for n in names if n.startswith(("conv1", "class_embedding", "positional_embedding", "ln_pre"))]
    inside = set(stem).union(*blocks)
    return [stem, *blocks, [n for n in names if n not in inside]]


@dataclass(frozen=True)
class ImageTextModel:
    """Both halves of a CLIP model in evaluation mode: what says how well a picture fits a text.

    Attributes:
        clip: open_clip's model.
        tokenize: texts -> int64 [B, context length].
        preprocess: what the image half expects. The resize is this project's, bicubic.
        width: D of the embeddings that both halves share.
        weights_sha256: of the weights file.
    """

    clip: nn.Module
    tokenize: Callable[[list[str]], Tensor]
    preprocess: PreprocessSpec
    width: int
    weights_sha256: str

    @torch.no_grad()
    def embed_images(self, images: Tensor) -> Tensor:
        """Normalised images [B, 3, H, W] -> unit embeddings [B, D], on the device the model is on."""
        return self.clip.encode_image(images.to(next(self.clip.parameters()).device), normalize=True)

    def embed_names(self, names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Class names -> unit embeddings [C, D]: the mean over the templates' prompts, `{}` standing for the name."""
        import open_clip

        device = next(self.clip.parameters()).device
        return open_clip.build_zero_shot_classifier(
            self.clip, self.tokenize, list(names), list(templates), num_classes_per_batch=32, device=device).T


def build_image_text(arch: str, weights: str, released_as: str | None = None) -> ImageTextModel:
    """Build both halves of a released model, on the CPU.

    Args:
        weights: `hub:TAG`, or `file:PATH` for the same file fetched before.
        released_as: for a file: the tag whose pixel statistics and activation it goes with; needed where open_clip's
            releases of `arch` differ in them.

    Raises:
        ConfigError: unknown model, tag or file; weights of another model; an activation that `arch` does not have.
    """
    import open_clip

    config = open_clip.get_model_config(arch)
    if config is None:
        raise unknown_name("open_clip model", arch, open_clip.list_models(), "tower")
    source, _, name = weights.partition(":")
    if source not in ("file", "hub") or not name:
        raise unknown_name("weights", weights, ["file:<path>", "hub:<tag>"], f"tower {arch!r}")
    release = _release_of(arch, name if source == "hub" else released_as)
    if release.get("quick_gelu", False) != config.get("quick_gelu", False):
        raise ConfigError(f"tower {arch!r}: these weights were trained with quick_gelu {not config.get('quick_gelu')}; "
                          "open_clip has the model twice, with and without -quickgelu at the end of its name")
    path = _download(arch, name) if source == "hub" else name
    if not Path(path).is_file():
        raise ConfigError(f"tower {arch!r}: no file {path}")
    try:
        clip = open_clip.create_model(arch, pretrained=path, weights_only=True)
    except (RuntimeError, AssertionError, UnpicklingError) as error:
        raise ConfigError(f"tower {arch!r}: {path} does not hold weights of this model: {error}") from error
    image_px = config["vision_cfg"]["image_size"]
    resize = "squash" if release.get("resize_mode") == "squash" else "shortest_crop"
    spec = PreprocessSpec(image_px, tuple(release.get("mean", CLIP_MEAN)), tuple(release.get("std", CLIP_STD)), resize)
    tokenizer = open_clip.get_tokenizer(arch)
    return ImageTextModel(clip.eval(), tokenizer, spec, config["embed_dim"], sha256_of_file(path))


def _release_of(arch: str, tag: str | None) -> dict:
    """open_clip's description of a release; without a tag, of all of `arch` where they agree; {} where it has none."""
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    known = list_pretrained_tags_by_model(arch)
    if tag is not None and tag not in known:
        raise unknown_name("weights tag", tag, known, f"tower {arch!r}")
    keys = ("mean", "std", "resize_mode", "quick_gelu")
    releases = [{key: get_pretrained_cfg(arch, one).get(key) for key in keys} for one in ([tag] if tag else known)]
    different = [release for release in releases if release != releases[0]]
    if different:
        raise ConfigError(f"tower {arch!r}: its releases differ in pixel statistics or activation; say which one the "
                          f"file is with --released-as; known: {', '.join(known)}")
    return {key: value for key, value in (releases[0] if releases else {}).items() if value is not None}
