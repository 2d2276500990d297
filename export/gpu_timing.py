"""Time of an exported file on the GPU of this machine, and what that says about the host's P100."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from export.kernels import Kernels
from export.time_model import P100, Gpu, model_seconds

# float32 lanes of one multiprocessor by compute capability (CUDA C++ Programming Guide, arithmetic instructions).
_LANES = {(6, 0): 64, (6, 1): 128, (7, 0): 64, (7, 2): 64, (7, 5): 64, (8, 0): 64, (8, 6): 128, (8, 7): 128,
          (8, 9): 128, (9, 0): 128, (10, 0): 128, (10, 3): 128, (12, 0): 128}  # fmt: skip
_N_CALLS, _N_FIRST = 60, 15  # the first compile kernels and are not counted
_REPEAT_SPREAD = 1.10  # runs of the same file on cards of the same kind
_SCALING_DOUBT = 1.3  # what two GPUs of other generations differ by beyond peak and bandwidth

# Times `_N_CALLS` calls: (model file, images to take in turn) -> seconds of each counted call, peak bytes of memory.
Timer = Callable[[Path, list[Tensor]], tuple[list[float], int]]


class DeviceProperties(Protocol):
    """The part of `torch.cuda.get_device_properties` that is read; clocks in kHz, bus in bits."""

    name: str
    major: int
    minor: int
    multi_processor_count: int
    clock_rate: int
    memory_clock_rate: int
    memory_bus_width: int


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one image on a P100, and where they come from.

    `basis`: `measured` on one or `scaled` from another GPU. `memory_gib` as the allocator counted it here.
    """

    basis: str
    device: str
    here_ms: float
    low_ms: float
    high_ms: float
    memory_gib: float


def time_on_gpu(
    path: Path, kernels: Kernels, properties: DeviceProperties | None = None, timer: Timer | None = None
) -> Timing | None:
    """Run the file on this machine's GPU; None where there is none or its kind is not known.

    Another GPU's time is scaled by the ratio of peaks, by that of bandwidths, and by that of the time model's answers:
    the lowest and the highest of the three, each with a margin, are the estimate for a P100.

    Args:
        kernels: of one call, for the time model.
        properties, timer: the GPU's and `call_times`; tests give stand-ins.
    """
    if properties is None:
        if not torch.cuda.is_available():
            return None
        properties = torch.cuda.get_device_properties(0)
    is_p100 = (properties.major, properties.minor) == (6, 0) and "P100" in properties.name
    gpu = P100 if is_p100 else peak_of(properties)
    if gpu is None:
        return None
    seconds, peak_bytes = (timer or call_times)(path, photographs())
    here_ms = 1e3 * statistics.median(seconds)
    if is_p100:
        low, high, basis = 1 / _REPEAT_SPREAD, _REPEAT_SPREAD, "measured"
    else:
        ratios = (gpu.flops / P100.flops, gpu.bandwidth / P100.bandwidth,
                  model_seconds(kernels, P100) / model_seconds(kernels, gpu))
        low, high, basis = min(ratios) / _SCALING_DOUBT, max(ratios) * _SCALING_DOUBT, "scaled"
    return Timing(basis, properties.name, here_ms, low * here_ms, high * here_ms, peak_bytes / 2**30)


def peak_of(properties: DeviceProperties) -> Gpu | None:
    """Peak float32 FLOP/s and bandwidth from clocks and widths; None for an unknown kind of multiprocessor."""
    lanes = _LANES.get((properties.major, properties.minor))
    if lanes is None or not properties.clock_rate or not properties.memory_clock_rate:
        return None
    flops = 2.0 * lanes * properties.multi_processor_count * properties.clock_rate * 1e3  # a multiply and an add
    bandwidth = 2.0 * properties.memory_clock_rate * 1e3 * properties.memory_bus_width / 8  # both edges of the clock
    return Gpu(flops, bandwidth, properties.multi_processor_count)


def photographs(n_sizes: int = 20) -> list[Tensor]:
    """uint8 [1, 3, H, W] of noise, all of other sizes around 0.8 megapixels, as photographs come."""
    generator = torch.Generator().manual_seed(205)
    images = []
    for number in range(n_sizes):
        height_px = 640 + 17 * number
        width_px = round(786_432 / height_px)
        noise = torch.randint(0, 256, (1, height_px, width_px, 3), dtype=torch.uint8, generator=generator)
        images.append(noise.permute(0, 3, 1, 2))
    return images


def call_times(path: Path, images: list[Tensor]) -> tuple[list[float], int]:
    """Seconds of each call as the host makes it, float32 products at full precision; peak bytes allocated."""
    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False  # a P100 has no TF32: with it, the time would say nothing about it
    torch.cuda.reset_peak_memory_stats()
    try:
        model = torch.jit.load(str(path)).eval()
        seconds = []
        with torch.no_grad():
            for number in range(_N_CALLS):
                start = time.perf_counter()
                model(images[number % len(images)])[0].flatten().cpu()  # waits for the GPU
                seconds.append(time.perf_counter() - start)
        return seconds[_N_FIRST:], torch.cuda.max_memory_allocated()
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = convolutions
