"""Weights that lie in the file as float16 and are float32 from the moment it is loaded.

Half the bytes to upload; the computation is float32 throughout, so nothing overflows, norms and softmax lose
nothing, no call converts anything, and PyTorch 1.11 runs it on CPUs too, which its float16 layers do not. A
P100 would gain nothing from float16 products: PyTorch accumulates them in float32 there. Biases, norms, small
tables and the head stay float32 in the file.
"""

import torch
from torch import Tensor, nn

HELD_AS_BUFFER = "_stored.value"  # how the name of a weight ends that is kept this way
_SMALLEST = 1 << 16  # values; below, there is nothing to save
_LARGEST_ERROR = 2.0**-10  # of the rounding, as a share of the weight's length; normal float16 numbers give 2^-12


class HalfWeight(nn.Module):
    """One weight: `value` is float32 in memory, rounded to float16; `__getstate__` is what a file holds of it."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", weight.detach().to(torch.float16).to(torch.float32))

    def forward(self) -> Tensor:
        return self.value

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return self.value.to(torch.float16), self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.value = state[0].to(torch.float32)
        self.training = state[1]


def store_half(module: nn.Module) -> nn.Module:
    """Replace the large weights of a module that is about to be traced, in place; returns it.

    A weight that float16 cannot hold (too large, or so small that digits are lost) is left as it is.
    """
    for owner in list(module.modules()):
        for name, weight in list(owner.named_parameters(recurse=False)):
            if weight.dim() < 2 or weight.numel() < _SMALLEST or not survives_rounding(weight):
                continue
            stored = torch.jit.script(HalfWeight(weight))
            delattr(owner, name)
            owner.add_module(f"{name}_stored", stored)
            # The layer reads the buffer itself, so a trace records where it comes from.
            owner.__dict__[name] = stored.value
    return module


def survives_rounding(weight: Tensor) -> bool:
    """Whether float16 holds the weight: every value finite, and the rounding a small share of its length."""
    weight = weight.detach().to(torch.float32)
    rounded = weight.to(torch.float16).to(torch.float32)
    # The comparison is written so that infinities, whose difference is not a number, fail.
    return bool((rounded - weight).norm() <= _LARGEST_ERROR * weight.norm())
