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
