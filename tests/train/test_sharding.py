import torch
from torch import nn

from train.model.backbones import BackboneSpec, build_backbone
from train.processes import is_cut_up
from train.sharding import _blocks, whole_state


def test_the_blocks_of_a_transformer_are_found_and_a_plain_tower_has_none():
    tower = build_backbone(BackboneSpec("open_clip", "ViT-B-32", None, 64, narrow_width=72))
    blocks = _blocks(tower)
    assert len(blocks) == 12 and {type(block).__name__ for block in blocks} == {"ResidualAttentionBlock"}
    assert _blocks(build_backbone(BackboneSpec("tiny", "conv16", None, 16))) == []


def test_a_whole_module_s_state_is_its_state_dict():
    module = nn.Linear(3, 2)
    state = whole_state(module)
    assert not is_cut_up(module.parameters()) and state.keys() == module.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
