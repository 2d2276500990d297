import pytest
import torch

from data_prep.errors import ConfigError
from train.model.backbones import BackboneSpec, build_backbone, load_strictly
from train.model.backbones.backbone import load_state_file


def test_unknown_kind_lists_the_known_ones():
    with pytest.raises(ConfigError, match="no backbone kind 'resnet'; known: open_clip, timm, tiny"):
        build_backbone(BackboneSpec("resnet", "50", None, 32))


def test_weights_of_another_model_name_the_keys():
    layer = torch.nn.Linear(2, 3)
    with pytest.raises(ConfigError, match=r"missing bias; unexpected scale; other shapes weight \(2, 2\) for \(3, 2\)"):
        load_strictly(layer, {"weight": torch.zeros(2, 2), "scale": torch.zeros(1)}, "here")


def test_state_files_load_as_data_only(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(2)}}, tmp_path / "w.pt")
    assert load_state_file(str(tmp_path / "w.pt"))["w"].tolist() == [1.0, 1.0]
    torch.save({"w": "text"}, tmp_path / "bad.pt")
    with pytest.raises(ConfigError, match="not a plain state dict"):
        load_state_file(str(tmp_path / "bad.pt"))
    with pytest.raises(ConfigError, match="no file"):
        load_state_file(str(tmp_path / "absent.pt"))


def test_groups_cover_every_parameter_once():
    for spec in (BackboneSpec("tiny", "conv16", None, 32),
                 BackboneSpec("timm", "tf_efficientnet_lite0", None, 64),
                 BackboneSpec("open_clip", "ViT-B-32", None, 64)):
        backbone = build_backbone(spec)
        grouped = [name for group in backbone.layer_groups() for name in group]
        assert sorted(grouped) == sorted(name for name, _ in backbone.named_parameters())
        with torch.no_grad():
            assert backbone.eval()(torch.zeros(1, 3, spec.image_px, spec.image_px)).shape == (1, backbone.width)


@pytest.mark.parametrize("kind, arch, patch_px", [("open_clip", "ViT-B-32", 32), ("timm", "vit_tiny_patch16_224", 16)])
def test_a_narrow_tower_keeps_the_names_of_the_whole_one(kind, arch, patch_px):
    whole, narrow = (build_backbone(BackboneSpec(kind, arch, None, 2 * patch_px, narrow_width=width))
                     for width in (None, 24))
    assert [name for name, _ in narrow.named_parameters()] == [name for name, _ in whole.named_parameters()]
    assert narrow.width == 24 and narrow(torch.zeros(1, 3, 2 * patch_px, 2 * patch_px)).shape == (1, 24)


@pytest.mark.parametrize("spec, part", [
    (BackboneSpec("timm", "resnet10t", None, 64, narrow_width=24), "plain vision transformers"),
    (BackboneSpec("open_clip", "ViT-B-32", "hub:openai", 64, narrow_width=24), "no room for weights 'hub:openai'"),
])
def test_what_cannot_be_narrowed_says_so(spec, part):
    with pytest.raises(ConfigError, match=part):
        build_backbone(spec)
