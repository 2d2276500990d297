import doctest

import pytest
import torch

from data_prep.errors import ConfigError
from train.model.backbones import BackboneSpec, build_backbone, timm_tower


def test_packaged_weights_map_one_to_one_and_change_the_output():
    state = timm_tower._packaged_lite0_state()
    backbone = build_backbone(BackboneSpec("timm", "tf_efficientnet_lite0", "package:efficientnet_lite0", 64)).eval()
    own = backbone.tower.state_dict()
    assert own.keys() == state.keys() and len(state) == 294
    assert all(torch.equal(own[name], state[name]) for name in state)
    assert backbone.mean == (0.5, 0.5, 0.5) and backbone.width == 1280


@pytest.mark.parametrize("arch", ["mobilenetv3_small_050", "resnet10t"])
def test_width_is_what_comes_out(arch):
    backbone = build_backbone(BackboneSpec("timm", arch, None, 64)).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 64, 64)).shape == (1, backbone.width)


def test_names_of_the_package():
    assert doctest.testmod(timm_tower).attempted >= 2
    assert doctest.testmod(timm_tower).failed == 0


def test_a_file_with_a_classifier_fits_the_tower(tmp_path):
    import timm

    whole = timm.create_model("tf_efficientnet_lite0", num_classes=7)
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    backbone = build_backbone(BackboneSpec("timm", "tf_efficientnet_lite0", f"file:{tmp_path / 'w.pt'}", 64))
    assert torch.equal(backbone.tower.conv_stem.weight, whole.conv_stem.weight)


@pytest.mark.parametrize("arch, weights, stride, part", [
    ("tf_efficientnet_lite99", None, None, "known: .*tf_efficientnet_lite0"),
    ("tf_efficientnet_lite0", "package:nothing", None, "package:efficientnet_lite0"),
    ("tf_efficientnet_lite0", None, 12, "patch_stride is for open_clip"),
])
def test_unknown_names(arch, weights, stride, part):
    with pytest.raises(ConfigError, match=part):
        build_backbone(BackboneSpec("timm", arch, weights, 64, stride))


def test_the_class_token_in_place_of_the_average():
    pooled, token = (build_backbone(BackboneSpec("timm", "beit_base_patch16_224", None, 32, output=output)).eval()
                     for output in ("own", "token"))
    token.load_state_dict(pooled.state_dict())
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = pooled.tower.forward_features(images)  # class token first, then 2 x 2 patches
        assert torch.allclose(token(images), token.tower.fc_norm(tokens[:, 0]), atol=1e-5)
        assert torch.allclose(pooled(images), pooled.tower.fc_norm(tokens[:, 1:].mean(dim=1)), atol=1e-5)
    assert token.width == pooled.width == 768


@pytest.mark.parametrize("kind, arch", [
    ("timm", "tf_efficientnet_lite0"), ("timm", "vit_base_patch16_siglip_224"), ("tiny", "conv16"),
])
def test_no_token_where_there_is_none(kind, arch):
    with torch.device("meta"), pytest.raises(ConfigError, match="with a class token"):
        build_backbone(BackboneSpec(kind, arch, None, 64, output="token"))
