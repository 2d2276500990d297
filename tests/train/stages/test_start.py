import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.data.feature_cache import compute_features
from train.data.readers import ShardReader
from train.model.backbones import BackboneSpec, build_backbone
from train.retrieval.projection import fit_pca
from train.stages.start import (
    preprocess_of,
    set_gradient_checkpointing,
    set_resolution,
    start_embedder,
    starting_backbone,
    teacher_features,
)


def test_weights_by_key_come_from_the_config(make_config, tmp_path):
    config = make_config({}, backbone={"kind": "timm", "arch": "tf_efficientnet_lite0", "weights": "file:mine"})
    with pytest.raises(ConfigError, match=r"key 'mine'; known: none; give it as weight_files\.mine="):
        starting_backbone(config, 32)
    source = starting_backbone(make_config({}, backbone={**config.backbone.model_dump(), "weights": None}), 32)
    torch.save(source.tower.state_dict(), tmp_path / "w.pt")
    loaded = starting_backbone(config.model_copy(update={"weight_files": {"mine": str(tmp_path / "w.pt")}}), 32)
    assert torch.equal(loaded.tower.conv_stem.weight, source.tower.conv_stem.weight)


def test_a_pca_head_starts_as_the_projection_itself(packed, make_config, tmp_path):
    config = make_config({}, head={"kind": "linear", "out_dim": 6, "init": "pca"})
    reader = ShardReader(packed, "train")
    embedder, head_spec = start_embedder(config, config.stages[0], reader, tmp_path)
    spec = preprocess_of(embedder.backbone, 16, "squash")
    features = compute_features(embedder.backbone, reader, spec)
    expected = fit_pca(features, 6, whiten=False).project(features)
    assert head_spec["out_dim"] == 6
    assert np.allclose(compute_features(embedder, reader, spec), expected, atol=1e-4)


def test_teacher_is_the_untouched_tower(packed, make_config, tmp_path):
    config = make_config({"distillation": {"weight": 1.0, "teacher_image_px": 24}})
    reader = ShardReader(packed, "train")
    backbone = starting_backbone(config, 24)
    expected = compute_features(backbone, reader, preprocess_of(backbone, 24, "squash"))
    assert np.allclose(teacher_features(config, config.stages[0], reader, tmp_path), expected)


@pytest.mark.parametrize("kind, arch, before, after", [
    ("open_clip", "ViT-B-32", 64, 96), ("timm", "vit_tiny_patch16_224", 32, 64), ("tiny", "conv16", 16, 24),
])
def test_every_kind_of_tower_changes_its_resolution(make_config, kind, arch, before, after):
    backbone = starting_backbone(make_config({}, backbone={"kind": kind, "arch": arch, "weights": None}), before).eval()
    set_resolution(backbone, after, None)
    assert backbone.spec.image_px == after
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, after, after)).shape == (1, backbone.width)


@pytest.mark.parametrize("kind, arch", [("timm", "vit_tiny_patch16_224"), ("tiny", "conv16")])
def test_only_a_tower_of_open_clip_takes_a_stride(make_config, kind, arch):
    backbone = starting_backbone(make_config({}, backbone={"kind": kind, "arch": arch, "weights": None}), 32)
    with pytest.raises(ConfigError, match=f"backbone '{arch}': patch_stride 12 is for open_clip towers; a {kind}"):
        set_resolution(backbone, 32, 12)
    assert backbone.spec.patch_stride is None  # what its checkpoint says


@pytest.mark.parametrize("kind, arch", [("timm", "vit_tiny_patch16_224"), ("open_clip", "ViT-B-32")])
def test_gradient_checkpointing_changes_no_gradient(kind, arch):
    backbone = build_backbone(BackboneSpec(kind, arch, None, 32, narrow_width=16))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def gradients(on):
        set_gradient_checkpointing(backbone, on)
        backbone.zero_grad()
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.nelement()) or t, lambda t: t):
            backbone(images).square().sum().backward()
        return [p.grad.clone() for p in backbone.parameters() if p.grad is not None], sum(saved)

    (plain, kept), (again, kept_again) = gradients(False), gradients(True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(plain, again)) and kept_again != kept


def test_a_tower_without_blocks_has_no_gradient_checkpointing(make_config):
    backbone = starting_backbone(make_config({}), 16)
    set_gradient_checkpointing(backbone, False)
    with pytest.raises(ConfigError, match="gradient_checkpointing: tower 'conv16' has no blocks"):
        set_gradient_checkpointing(backbone, True)
