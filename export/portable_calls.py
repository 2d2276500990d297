"""Spellings of newer PyTorch functions that PyTorch 1.11 runs, put in place while a tower is traced.

A trace records the operators that ran. `F.gelu` and `F.pad` would be recorded as operators whose meaning or
name changed after 1.11, fused attention as one that did not exist: inside `portable_calls()` they run as
older operators with the same result, so any tower that calls them through `torch.nn.functional` (timm,
`nn.GELU`, `nn.MultiheadAttention`) is traced as it stands, without changing the model that was trained.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

_pad_of_this_torch = F.pad


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "tanh":
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + torch.erf(x * (1.0 / math.sqrt(2.0))))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # the parameters are those of the function it stands for
    if is_causal or enable_gqa:
        raise NotImplementedError("export: causal or grouped-query attention; image towers have neither")
    scores = torch.matmul(query * (scale or 1.0 / math.sqrt(query.shape[-1])), key.transpose(-2, -1))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(torch.softmax(scores, dim=-1), value)


def _pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    if mode != "constant":
        return _pad_of_this_torch(x, pad, mode, value)
    # int(): the image side is fixed inside the model, so "same" padding is a constant, not ten operators a
    # layer.
    return torch.constant_pad_nd(x, [int(side) for side in pad], 0.0 if value is None else value)


_PORTABLE = {"gelu": _gelu, "scaled_dot_product_attention": _attention, "pad": _pad}


@contextmanager
def portable_calls() -> Iterator[None]:
    """Within the block, `torch.nn.functional` has 1.11's spellings and `nn.MultiheadAttention` no fast path.

    Not safe beside other threads that run models.
    """
    before = {name: getattr(F, name) for name in _PORTABLE}
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for name, spelling in _PORTABLE.items():
            setattr(F, name, spelling)
        yield
    finally:
        for name, function in before.items():
            setattr(F, name, function)
        torch.backends.mha.set_fastpath_enabled(fast_path)
