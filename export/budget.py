"""Will the model finish on the host? A model of its GPU, with a low and a high estimate, and a verdict.

The host: a P100 with 16 GB, 9 hours, about 205,000 images, batches of one, float32 (half precision runs no
faster there: PyTorch accumulates it in float32). Every matrix product is costed by the waves of tiles it
makes over the GPU's multiprocessors, every other kernel by the bytes it moves. For an A100 (ViT-B/16 at 384
px, one image, TF32 off) it gives 12.4 ms, published are 12.38 (NVIDIA FasterTransformer's ViT guide). Nothing
was measured on a P100.
"""

import math
from collections import Counter
from dataclasses import asdict, dataclass

import torch
from torch import nn

from export.kernels import Gemm, KernelRecorder, Kernels, hollow
from export.portable_calls import portable_calls
from export.torchscript import portable_tower
from train.model.heads import folded

N_IMAGES = 205_000
LIMIT_HOURS = 9.0
LIMIT_GIB = 16.0
# Around the model: decoding, copying, the loop. Low as measured for JPEGs of a megapixel, high with doubt
# about both.
LOW_HARNESS_MS = 15.0
HIGH_FACTOR, HIGH_HARNESS_MS = 1.15, 30.0
_CONTEXT_GIB = 0.8  # CUDA context and the allocator's slack
_LAUNCH_SECONDS = 9e-6  # what the CPU needs to start one kernel
_KERNEL_SECONDS = 4e-6  # what the GPU needs beside the work itself
_BANDWIDTH_SHARE = 0.75
# Tile of the result (rows, columns) -> share of the peak that a kernel of such tiles reaches.
_TILES = {
    (128, 128): 0.90,
    (128, 64): 0.85,
    (64, 128): 0.85,
    (64, 64): 0.75,
    (32, 128): 0.60,
    (128, 32): 0.60,
}
_DEPTH_SPLITS = (1, 2, 4)
_SHALLOWEST_SPLIT = 256


@dataclass(frozen=True)
class Gpu:
    """Peak of float32 in FLOP/s, memory bandwidth in bytes/s, number of multiprocessors."""

    flops: float
    bandwidth: float
    n_processors: int


P100 = Gpu(flops=9.3e12, bandwidth=732e9, n_processors=56)


@dataclass(frozen=True)
class Budget:
    """The verdict and its numbers, for one image at batch one.

    `verdict`: `fits` (low and high estimate within the limits), `tight` (the low one only), `over`, or
    `unknown` (operators without a known cost: `unknown_operators`).
    """

    verdict: str
    reason: str
    model_ms: float
    low_hours: float
    high_hours: float
    memory_gib: float
    n_parameters: int
    gflop: float
    n_kernels: int
    unknown_operators: tuple[str, ...]

    def to_dict(self) -> dict:
        """Plain values for `export.json`, with the limits they are held against."""
        limits = {"limit_hours": LIMIT_HOURS, "limit_memory_gib": LIMIT_GIB, "n_images": N_IMAGES}
        return asdict(self) | {"unknown_operators": list(self.unknown_operators)} | limits


def estimate_budget(embedder: nn.Module, image_px: int, gpu: Gpu = P100) -> Budget:
    """Model the exported embedder on the host's GPU; nothing is computed, so real-size towers take a second.

    `embedder` is a `train.model.embedder.Embedder` on any device, the meta device included.
    """
    n_parameters = sum(parameter.numel() for parameter in embedder.parameters())
    weights_gib = sum(t.numel() * t.element_size() for t in (*embedder.parameters(), *embedder.buffers())) / 2**30
    try:
        kernels = record_kernels(embedder, image_px)
    except (RuntimeError, NotImplementedError) as error:
        kernels = Kernels(unknown={f"no forward pass without data: {str(error).splitlines()[0]}"})
    seconds = model_seconds(kernels, gpu)
    low_hours = _hours(seconds * 1e3 + LOW_HARNESS_MS)
    high_hours = _hours(seconds * 1e3 * HIGH_FACTOR + HIGH_HARNESS_MS)
    memory_gib = weights_gib + kernels.peak_bytes / 2**30 + _CONTEXT_GIB
    verdict, reason = _verdict(low_hours, high_hours, memory_gib, kernels.unknown)
    return Budget(
        verdict,
        reason,
        round(seconds * 1e3, 2),
        round(low_hours, 2),
        round(high_hours, 2),
        round(memory_gib, 2),
        n_parameters,
        round(sum(gemm.flops for gemm in kernels.gemms) / 1e9, 2),
        len(kernels.gemms) + len(kernels.streams),
        tuple(sorted(kernels.unknown)),
    )


def record_kernels(embedder: nn.Module, image_px: int) -> Kernels:
    """The kernels of one image through the exported form of the embedder; the resize is the harness's."""
    empty = hollow(embedder)
    with torch.no_grad(), portable_calls():
        tower, head = portable_tower(empty.backbone), folded(empty.head)
        image = torch.empty(1, 3, image_px, image_px, device="meta")
        with KernelRecorder() as recorder:
            features = empty.head_input(tower(image), torch.empty(1, 2, device="meta"))
            embedding = head(features)
            embedding / torch.sqrt(torch.sum(embedding * embedding, dim=1, keepdim=True))
    return recorder.kernels


def model_seconds(kernels: Kernels, gpu: Gpu) -> float:
    """One forward pass: the GPU's work, or the CPU's launches where those take longer."""
    products = sum(count * gemm_seconds(gemm, gpu) for gemm, count in Counter(kernels.gemms).items())
    n_kernels = len(kernels.gemms) + len(kernels.streams)
    moved = sum(kernels.streams) / (_BANDWIDTH_SHARE * gpu.bandwidth) + _KERNEL_SECONDS * len(kernels.streams)
    return max(products + moved, n_kernels * _LAUNCH_SECONDS)


def gemm_seconds(gemm: Gemm, gpu: Gpu) -> float:
    """The fastest tiling; a last wave that fills only some processors costs a whole one."""
    bandwidth = _BANDWIDTH_SHARE * gpu.bandwidth
    result_bytes = 4 * gemm.n * gemm.rows * gemm.columns
    tilings = []
    for (tile_rows, tile_columns), share in _TILES.items():
        for n_splits in _DEPTH_SPLITS:
            if n_splits > 1 and gemm.depth < n_splits * _SHALLOWEST_SPLIT:
                continue
            n_tiles = gemm.n * math.ceil(gemm.rows / tile_rows) * math.ceil(gemm.columns / tile_columns) * n_splits
            tile_flops = 2 * tile_rows * tile_columns * math.ceil(gemm.depth / n_splits)
            wave_seconds = tile_flops / (gpu.flops / gpu.n_processors * share)
            adding_up = result_bytes * (n_splits + 1) / bandwidth if n_splits > 1 else 0.0
            tilings.append(math.ceil(n_tiles / gpu.n_processors) * wave_seconds + adding_up)
    operand_bytes = 4 * gemm.n * gemm.depth * (gemm.rows + gemm.columns)
    seconds = max(min(tilings), (operand_bytes + result_bytes) / bandwidth) + _KERNEL_SECONDS
    bias_seconds = 2 * result_bytes / bandwidth + _KERNEL_SECONDS if gemm.has_bias else 0.0
    return seconds + bias_seconds


def _hours(ms_per_image: float) -> float:
    return ms_per_image * N_IMAGES / 3.6e6


def _verdict(low_hours: float, high_hours: float, memory_gib: float, unknown: set[str]) -> tuple[str, str]:
    """The verdict and the sentence that explains it."""
    hours = f"{low_hours:.1f} to {high_hours:.1f} h of {LIMIT_HOURS:.0f} h"
    numbers = f"{hours}, {memory_gib:.1f} GiB of {LIMIT_GIB:.0f} GiB"
    if unknown:
        return "unknown", f"no cost known for {', '.join(sorted(unknown))}; the rest alone: {numbers}"
    if low_hours > LIMIT_HOURS or memory_gib > LIMIT_GIB:
        return "over", numbers
    return ("fits" if high_hours <= LIMIT_HOURS else "tight"), numbers
