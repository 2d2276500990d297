"""The 1.11 spellings give what the functions they stand for give."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from export.portable_calls import portable_calls

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(2, 4, 6, 8, generator=GENERATOR)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.gelu(X),
        lambda: F.gelu(X, approximate="tanh"),
        lambda: nn.GELU()(X),
        lambda: F.pad(X, (1, 2, 0, 3), value=0.5),
        lambda: F.pad(X, (1, 1, 1, 1), mode="reflect"),
        lambda: F.scaled_dot_product_attention(X, X + 1, X * 2),
        lambda: F.scaled_dot_product_attention(X, X, X, scale=0.3),
        lambda: F.scaled_dot_product_attention(X, X, X, attn_mask=torch.eye(6, dtype=torch.bool)),
        lambda: F.scaled_dot_product_attention(X, X, X, attn_mask=torch.linspace(-1, 1, 36).view(6, 6)),
    ],
)
def test_same_result(call):
    expected = call()
    with portable_calls():
        assert torch.allclose(call(), expected, atol=2e-6)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_has_only_the_old_operators():
    class Newer(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x = F.gelu(F.pad(x, (0, 0, 1, 1)))
            x = F.scaled_dot_product_attention(x, x, x)
            return self.attention(x, x, x, need_weights=False)[0]

    module = Newer().eval().requires_grad_(False)
    newer = {
        "aten::gelu",
        "aten::pad",
        "aten::scaled_dot_product_attention",
        "aten::_native_multi_head_attention",
    }
    example = X[:, 0]
    plain = set(torch.jit.export_opnames(torch.jit.trace(module, example)))
    assert plain & newer
    with portable_calls():
        portable = torch.jit.trace(module, example, check_trace=False)
    assert not set(torch.jit.export_opnames(portable)) & newer
    assert torch.allclose(portable(example + 1), module(example + 1), atol=2e-6)


def test_everything_is_put_back_even_after_an_error():
    before = (F.gelu, F.pad, F.scaled_dot_product_attention, torch.backends.mha.get_fastpath_enabled())
    with pytest.raises(NotImplementedError, match="causal"), portable_calls():
        assert F.gelu is not before[0]
        F.scaled_dot_product_attention(X, X, X, is_causal=True)
    assert (
        F.gelu,
        F.pad,
        F.scaled_dot_product_attention,
        torch.backends.mha.get_fastpath_enabled(),
    ) == before
