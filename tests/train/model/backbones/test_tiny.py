import pytest
import torch

from data_prep.errors import ConfigError
from train.model.backbones import BackboneSpec, build_backbone


def test_same_random_weights_each_time_and_the_callers_generator_untouched():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    second = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    assert torch.rand(1) == expected
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))


@pytest.mark.parametrize("arch, weights, part", [
    ("conv99", None, "known: conv16, conv32"), ("conv16", "hub:x", "null"),
])
def test_unknown_names(arch, weights, part):
    with pytest.raises(ConfigError, match=part):
        build_backbone(BackboneSpec("tiny", arch, weights, 32))
