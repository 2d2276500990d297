"""What a forward pass asks of a GPU, recorded without computing: matrix products, other kernels, memory."""

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_CONVOLUTIONS = {"convolution", "_convolution"}  # the second is what a trace holds
_FREE = {"_unsafe_view", "empty", "empty_like", "new_empty", "lift_fresh", "detach"}
# Beside every operator that torch itself tags as pointwise: one read of the inputs, one write of the outputs.
# fmt: off
_LIMITED_BY_MEMORY = {
    "_adaptive_avg_pool2d", "_native_batch_norm_legit_no_training", "_prelu_kernel", "_softmax",
    "_to_copy", "_upsample_bicubic2d_aa", "adaptive_max_pool2d", "all", "amax", "any", "arange", "argmax",
    "avg_pool2d", "cat", "clone", "constant_pad_nd", "copy_", "cudnn_batch_norm", "fill_", "full", "full_like",
    "gather", "hardswish", "hardswish_", "index", "index_select", "linalg_vector_norm", "max",
    "max_pool2d_with_indices", "mean", "native_batch_norm", "native_group_norm", "native_layer_norm",
    "norm", "ones", "reflection_pad2d", "repeat", "roll", "stack", "sum", "upsample_bicubic2d",
    "upsample_bilinear2d", "upsample_nearest2d", "var", "var_mean", "zeros", "zeros_like",
}
# fmt: on


@dataclass(frozen=True)
class Gemm:
    """`n` products of [rows, depth] by [depth, columns]; a convolution is one implicitly."""

    n: int
    rows: int
    columns: int
    depth: int
    has_bias: bool

    @property
    def flops(self) -> int:
        return 2 * self.n * self.rows * self.columns * self.depth

    @property
    def moved_bytes(self) -> int:
        """Both operands read once, the result written once, float32."""
        return 4 * self.n * (self.depth * (self.rows + self.columns) + self.rows * self.columns)


@dataclass
class Kernels:
    """What one forward pass runs.

    `streams`: bytes that each kernel reads and writes that memory limits; `peak_bytes`: live activations at
    most; `unknown`: operators that no cost is known for.
    """

    gemms: list[Gemm] = field(default_factory=list)
    streams: list[int] = field(default_factory=list)
    peak_bytes: int = 0
    unknown: set[str] = field(default_factory=set)


def record_call(model: Callable[[Tensor], Tensor], image: Tensor) -> Kernels:
    """The kernels of one call; with weights and image on the meta device nothing is computed."""
    with torch.no_grad(), KernelRecorder() as recorder:
        model(image)
    return recorder.kernels


class KernelRecorder(TorchDispatchMode):
    """Within `with KernelRecorder() as recorder:` every operator is entered in `recorder.kernels`."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = Kernels()
        self._live_bytes = 0
        self._holders: dict[int, int] = {}  # storage -> tensors that use it

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        inputs, outputs = _tensors(args), _tensors(out)
        self._enter(func, inputs, outputs)
        for tensor in outputs:
            self._track(tensor)
        return out

    def _enter(self, func, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        name = func.overloadpacket.__name__
        if func.is_view or name in _FREE:
            return
        gemm = _as_gemm(name, inputs, outputs)
        if gemm is not None:
            self.kernels.gemms.append(gemm)
        elif _is_depthwise(name, inputs) or name in _LIMITED_BY_MEMORY or torch.Tag.pointwise in func.tags:
            self.kernels.streams.append(sum(t.numel() * t.element_size() for t in inputs + outputs))
        else:
            self.kernels.unknown.add(str(func))

    def _track(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        self._holders[key] = self._holders.get(key, 0) + 1
        if self._holders[key] == 1:
            self._live_bytes += size
            self.kernels.peak_bytes = max(self.kernels.peak_bytes, self._live_bytes)
        weakref.finalize(tensor, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            self._live_bytes -= size


def _as_gemm(name: str, inputs: list[Tensor], outputs: list[Tensor]) -> Gemm | None:
    """The product that an operator is, or None."""
    if name == "mm":
        return Gemm(1, inputs[0].shape[0], inputs[1].shape[1], inputs[0].shape[1], False)
    if name == "addmm":
        return Gemm(1, inputs[1].shape[0], inputs[2].shape[1], inputs[1].shape[1], True)
    if name in ("bmm", "baddbmm"):
        left, right = inputs[-2:]
        return Gemm(left.shape[0], left.shape[1], right.shape[2], left.shape[2], name == "baddbmm")
    if name in _CONVOLUTIONS and not _is_depthwise(name, inputs):
        images, weight = inputs[:2]  # [B, C, H, W], [O, C / groups, h, w]
        n_groups = images.shape[1] // weight.shape[1]
        rows = outputs[0].numel() // weight.shape[0]
        return Gemm(n_groups, rows, weight.shape[0] // n_groups, math.prod(weight.shape[1:]), len(inputs) > 2)
    return None


def _is_depthwise(name: str, inputs: list[Tensor]) -> bool:
    """A convolution of each channel by itself does so little arithmetic that memory limits it."""
    return name in _CONVOLUTIONS and inputs[1].shape[1] == 1 and inputs[0].shape[1] > 1


def _tensors(values: object) -> list[Tensor]:
    """All tensors in nested lists and tuples."""
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in _tensors(value)]
    return []
