"""FSDP: weights, gradients and optimizer state cut up over the processes, for a tower that one GPU does not hold.

Each layer group of a transformer is put together just before it is used and cut up again after. Source: ZeRO, arXiv
1910.02054; PyTorch's `fully_shard`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from train.model.embedder import Embedder


def shard_parts(embedder: Embedder, classifier: nn.Module, mesh: DeviceMesh) -> None:
    """Cut up blocks, tower, head and class centres over a one-dimensional mesh of processes, in place.

    Each is called through its `forward`, which is where `fully_shard` puts it together.
    """
    for part in (embedder, classifier):
        part.to(memory_format=torch.contiguous_format)  # channels_last cannot be cut up
    for block in _blocks(embedder.backbone):
        fully_shard(block, mesh=mesh)
    for part in (embedder.backbone, embedder.head, classifier):
        if any(True for _ in part.parameters()):
            fully_shard(part, mesh=mesh)


def _blocks(tower: nn.Module) -> list[nn.Module]:
    """The modules of the longest list in the tower: a transformer's blocks; none in a tower without such a list."""
    lists = [m for m in tower.modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
    longest = max((m for m in lists if len({type(block) for block in m}) == 1), key=len, default=())
    return list(longest) if len(longest) > 1 else []


@torch.no_grad()
def whole_state(module: nn.Module) -> Mapping[str, Tensor]:
    """The state dict with every tensor whole and on the CPU; all processes take part and get it."""
    return {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().cpu()
        for name, value in module.state_dict().items()
    }
