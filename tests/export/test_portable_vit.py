"""The same numbers as open_clip's transformer, from the same state dict."""

import pytest
import torch
from open_clip.transformer import QuickGELU, VisionTransformer

from export.portable_vit import PortableViT, is_portable, portable_vit, shape_of
from train.model.backbones.open_clip_tower import set_position_grid

TINY = {
    "image_size": 32,
    "patch_size": 8,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "mlp_ratio": 3.0,
    "output_dim": 20,
}


def make_tower(**options):
    """Every parameter random, so that swapped norms or a forgotten bias show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        tower = VisionTransformer(**(TINY | options)).eval()
        for parameter in tower.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return tower


def images(side_px=32):
    return torch.randn(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"act_layer": QuickGELU},
        {"ls_init_value": 0.3},
        {"no_ln_pre": True},
        {"pool_type": "avg", "final_ln_after_pool": True},
        {"patch_dropout": 0.5},
    ],
    ids=str,
)
def test_equals_open_clip(options):
    tower = make_tower(**options)
    assert is_portable(tower)
    portable = portable_vit(tower)
    assert portable.state_dict().keys() == tower.state_dict().keys()
    with torch.no_grad():
        expected = tower(images())
        assert torch.allclose(portable(images()), expected, atol=2e-6)
        assert torch.allclose(torch.jit.script(portable)(images()), expected, atol=2e-6)


def test_overlapping_patches_and_another_image_size():
    tower = make_tower()
    set_position_grid(tower, image_px=44, patch_stride=6)  # (44 - 8) // 6 + 1 = 7 patches a side
    assert shape_of(tower).n_tokens == 50
    with torch.no_grad():
        assert torch.allclose(portable_vit(tower)(images(44)), tower(images(44)), atol=2e-6)


def test_equals_open_clip_without_its_projection():
    tower = make_tower()
    projected = tower(images()).detach()
    projection = tower.proj.detach()
    tower.proj = None
    assert is_portable(tower) and shape_of(tower).out_dim is None
    portable = portable_vit(tower)
    assert portable.state_dict().keys() == tower.state_dict().keys() and "proj" not in portable.state_dict()
    with torch.no_grad():
        tokens = torch.jit.script(portable)(images())
        assert tokens.shape == (2, 32) and torch.allclose(tokens, tower(images()), atol=2e-6)
        assert torch.allclose(tokens @ projection, projected, atol=1e-5)


def test_a_changed_weight_changes_the_output_so_the_equalities_could_fail():
    tower = make_tower()
    other = make_tower()
    other.transformer.resblocks[1].attn.in_proj_bias.data[-1] += 0.5
    with torch.no_grad():
        assert not torch.allclose(portable_vit(other)(images()), tower(images()), atol=1e-4)


def test_shares_the_weights_and_leaves_the_tower_trainable():
    tower = make_tower()
    portable = portable_vit(tower)
    assert portable.conv1.weight.data_ptr() == tower.conv1.weight.data_ptr()
    assert tower.conv1.weight.requires_grad and not portable.conv1.weight.requires_grad
    assert not portable.training


def test_strict_about_the_state_dict():
    portable = PortableViT(shape_of(make_tower()))
    state = make_tower().state_dict()
    del state["ln_post.bias"]
    with pytest.raises(RuntimeError, match=r"ln_post\.bias"):
        portable.load_state_dict(state)


@pytest.mark.parametrize(
    "options",
    [
        {"attentional_pool": True, "attn_pooler_heads": 4},
        {"qk_norm": True},
        {"output_tokens": True},
        {"act_layer": torch.nn.SiLU},
    ],
    ids=str,
)
def test_towers_it_cannot_stand_for_are_told_apart(options):
    assert not is_portable(make_tower(**options))


def test_other_modules_are_not_portable():
    assert not is_portable(torch.nn.Linear(2, 2))
