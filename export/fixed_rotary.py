"""Rotary position embeddings as buffers, for towers that build theirs in each forward pass (DINOv3's).

Traced as it stands, such a tower builds them on the device that is written into the file, the CPU's, and meets the
weights on the GPU. The exported tower sees one image size a trace, so its embeddings never change.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def fix_rotary(tower: nn.Module, example: Tensor) -> None:
    """Keep the rotary embeddings for the example's size as buffers of the modules that make them, in place.

    Told by the method `get_embed(shape)` that timm's rotary modules have; towers without one are left alone. Call it
    before the trace, once for each image size, on a copy in evaluation mode.
    """
    makers = [module for module in tower.modules() if callable(getattr(module, "get_embed", None))]
    for maker in makers:
        if "get_embed" not in vars(maker):
            maker.get_embed = _remembering(maker, maker.get_embed)
    if makers:
        with torch.no_grad():
            tower(example)


def _remembering(maker: nn.Module, get_embed: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method with a memory: the first call for a grid makes a buffer, which every later call gives."""

    def remembered(shape: list[int] | None = None, **options: object) -> Tensor:
        if shape is None:
            return get_embed(**options)  # kept by the module itself
        name = "fixed_embed_" + "x".join(str(int(side)) for side in shape)
        if not hasattr(maker, name):
            maker.register_buffer(name, get_embed(shape=shape, **options).detach())
        return getattr(maker, name)

    return remembered
