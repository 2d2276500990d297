"""How long a GPU takes for recorded kernels: a model of it, fitted to no measurement.

Every matrix product is costed by the waves of tiles it makes over the GPU's multiprocessors, every other kernel by
the bytes it moves, and both by what it takes to start them. Against published float32 times of A100 and V100 it gives
0.95 to 1.06 times the measured (tests/export/test_time_model.py); a T4, which its 70 W hold back, is 1.4 to 1.7 times
slower than modelled. Nothing was measured on a P100, which like the first two has the power for its peak.
"""

import math
from collections import Counter
from dataclasses import dataclass

from export.kernels import Gemm, Kernels

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
    seconds = max(min(tilings), gemm.moved_bytes / bandwidth) + _KERNEL_SECONDS
    bias_seconds = 2 * result_bytes / bandwidth + _KERNEL_SECONDS if gemm.has_bias else 0.0
    return seconds + bias_seconds
