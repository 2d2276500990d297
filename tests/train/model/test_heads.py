import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError
from train.model.heads import build_head, set_dropout, set_linear


@pytest.mark.parametrize("kind, n_parameters", [
    ("linear", 5 * 3 + 3),
    ("bn_linear", 2 * 5 + 5 * 3 + 3),
    ("mlp", (5 * 7 + 7) + 2 * 7 + 1 + (7 * 3 + 3)),
])
def test_shapes_and_sizes(kind, n_parameters):
    head = build_head(kind, width=5, out_dim=3, hidden_dim=7).eval()
    assert head(torch.randn(2, 5)).shape == (2, 3)
    assert sum(p.numel() for p in head.parameters()) == n_parameters
    torch.jit.script(head)  # what is exported must compile


def test_identity_keeps_the_width():
    assert build_head("identity", 4, 4)(torch.ones(1, 4)).tolist() == [[1.0] * 4]
    with pytest.raises(ValueError, match="width 4 is not out_dim 3"):
        build_head("identity", 4, 3)


def test_unknown_kind():
    with pytest.raises(ConfigError, match="no head 'conv'; known: bn_linear, identity, linear, mlp"):
        build_head("conv", 4, 3)


def test_dropout_changes_by_stage():
    head = build_head("mlp", 5, 3, 7)
    set_dropout(head, 0.3)
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout)] == [0.3]


def test_a_linear_head_starts_at_a_projection():
    head = build_head("linear", 2, 1)
    set_linear(head, torch.tensor([[2.0, 3.0]]), torch.tensor([1.0]))
    assert head(torch.tensor([[1.0, 10.0]])).item() == 33.0
    with pytest.raises(ValueError, match="one linear layer, got 2"):
        set_linear(build_head("mlp", 2, 1, 4), torch.zeros(1, 2), torch.zeros(1))
