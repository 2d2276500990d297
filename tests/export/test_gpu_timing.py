"""What a timing on some GPU says about a P100: stand-in devices, an injected timer, numbers worked out by hand."""

from types import SimpleNamespace

import pytest
import torch

from export.budget import count_file, estimate_budget
from export.gpu_timing import call_times, peak_of, photographs, time_on_gpu
from export.kernels import Gemm, Kernels
from export.time_model import P100

KERNELS = Kernels(gemms=[Gemm(1, 256, 4096, 4096, False)] * 50)


def device(name, capability, n_processors, clock_mhz, memory_mhz, bus_bits):
    return SimpleNamespace(name=name, major=capability[0], minor=capability[1], multi_processor_count=n_processors,
                           clock_rate=clock_mhz * 1000, memory_clock_rate=memory_mhz * 1000, memory_bus_width=bus_bits)


TESLA_P100 = device("Tesla P100-PCIE-16GB", (6, 0), 56, 1328, 715, 4096)
H100 = device("NVIDIA H100 80GB HBM3", (9, 0), 132, 1980, 2619, 5120)


def fixed(ms, gib=2.0):
    return lambda path, images: ([ms / 1e3, ms / 1e3, 100.0], int(gib * 2**30))


def test_peaks_of_known_cards():
    # 2 * 64 lanes * 56 * 1.328 GHz = 9.52 TFLOP/s; 2 * 715 MHz * 512 bytes = 732 GB/s
    p100 = peak_of(TESLA_P100)
    assert p100.flops == pytest.approx(9.52e12, rel=1e-3) and p100.bandwidth == pytest.approx(732e9, rel=1e-3)
    # Data sheet: 67 TFLOP/s without tensor cores, 3.35 TB/s
    h100 = peak_of(H100)
    assert h100.flops == pytest.approx(67e12, rel=0.01) and h100.bandwidth == pytest.approx(3.35e12, rel=0.01)


def test_on_a_p100_the_time_is_the_time(tmp_path):
    timing = time_on_gpu(tmp_path, KERNELS, TESLA_P100, fixed(70.0))
    assert (timing.basis, timing.here_ms, timing.memory_gib) == ("measured", 70.0, 2.0)
    assert timing.low_ms == pytest.approx(70.0 / 1.1) and timing.high_ms == pytest.approx(77.0)


def test_another_gpu_is_scaled_by_peak_and_bandwidth_with_wide_bounds(tmp_path):
    timing = time_on_gpu(tmp_path, KERNELS, H100, fixed(10.0))
    flops, bandwidth = 66.9e12 / 9.3e12, 3.35e12 / 732e9  # 7.19 and 4.58 times a P100
    assert timing.basis == "scaled" and timing.device == "NVIDIA H100 80GB HBM3"
    assert timing.low_ms <= 10.0 * bandwidth / 1.3 * 1.001 and timing.high_ms >= 10.0 * flops * 1.3 * 0.999
    assert 2 * timing.low_ms < timing.high_ms < 10 * timing.low_ms


@pytest.mark.parametrize("unknown", [device("GPU of the future", (99, 0), 100, 2000, 3000, 4096),
                                     device("without clocks", (9, 0), 132, 0, 0, 5120)])
def test_an_unknown_kind_of_gpu_is_not_used(tmp_path, unknown):
    def never(path, images):
        raise AssertionError("timed")

    assert peak_of(unknown) is None and time_on_gpu(tmp_path, KERNELS, unknown, never) is None


def test_no_gpu_no_timing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert time_on_gpu(tmp_path, KERNELS) is None


def test_every_image_has_another_size():
    images = photographs()
    assert len({image.shape for image in images}) == len(images) == 20
    assert all(abs(image.shape[2] * image.shape[3] / 786_432 - 1) < 0.01 for image in images)
    assert all(image.dtype == torch.uint8 and image.shape[:2] == (1, 3) for image in images)


@pytest.mark.gpu
def test_the_file_runs_and_is_timed_on_this_gpu(exported):
    seconds, peak_bytes = call_times(exported, photographs(3))
    assert len(seconds) == 45 and min(seconds) > 0 and peak_bytes > 0
    timing = time_on_gpu(exported, count_file(exported).kernels)
    budget = estimate_budget(exported)
    assert timing.low_ms < timing.high_ms and budget.basis == timing.basis != "modelled"
    assert torch.cuda.get_device_name(0) in budget.reason
    if timing.basis == "measured":
        assert P100.n_processors == torch.cuda.get_device_properties(0).multi_processor_count
