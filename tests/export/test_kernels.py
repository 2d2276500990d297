"""Recorded products, bytes and memory against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from export.kernels import Gemm, record_call


def recorded(module, *shape):
    if not isinstance(module, torch.jit.ScriptModule):
        module = module.eval().to("meta")
    return record_call(module, torch.empty(shape, device="meta"))


def test_linear_is_one_product_with_bias():
    kernels = recorded(nn.Linear(6, 5), 4, 6)
    assert kernels.gemms == [Gemm(1, rows=4, columns=5, depth=6, has_bias=True)]
    assert kernels.gemms[0].flops == 2 * 4 * 5 * 6
    assert kernels.streams == [] and kernels.unknown == set()


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 8 x 8 -> 4 x 4 = 16 rows; depth 3 channels x 9 taps
        (nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False), Gemm(1, 16, 8, 54, False)),
        (nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2), Gemm(2, 16, 4, 27, True)),
    ],
)
def test_convolution_is_its_implicit_product(layer, expected):
    assert recorded(layer, 1, 6, 8, 8).gemms == [expected]


def test_a_trace_counts_like_the_module_it_was_made_of():
    layers = nn.Sequential(nn.Conv2d(6, 8, 3, bias=False), nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.Flatten(1))
    traced = record_call(torch.jit.trace(layers, torch.zeros(1, 6, 8, 8)), torch.zeros(1, 6, 8, 8))
    plain = recorded(layers, 1, 6, 8, 8)
    assert traced.gemms == plain.gemms and len(plain.gemms) == 1
    assert traced.streams == plain.streams and traced.unknown == plain.unknown == set()


def test_depthwise_convolution_counts_its_bytes():
    kernels = recorded(nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), 1, 6, 8, 8)
    assert kernels.gemms == []
    assert kernels.streams == [4 * (6 * 64 + 6 * 9 + 6 * 64)]  # read image and weight, write image; float32


def test_batched_product_and_pointwise():
    class Scores(nn.Module):
        def forward(self, x):
            return torch.relu(torch.matmul(x, x.transpose(1, 2)))

    kernels = recorded(Scores(), 3, 5, 7)
    assert kernels.gemms == [Gemm(3, 5, 5, 7, False)]
    assert kernels.streams == [2 * 4 * 3 * 5 * 5]


def test_views_cost_nothing():
    kernels = recorded(nn.Flatten(1), 2, 3, 4)
    assert kernels.gemms == [] and kernels.streams == []


def test_peak_is_what_lives_at_once():
    class Chain(nn.Module):
        def forward(self, x):
            for _ in range(5):
                x = torch.relu(x)  # the one before is freed after each step
            return x

    class Kept(nn.Module):
        def forward(self, x):
            kept = [torch.relu(x) for _ in range(5)]
            return sum(kept)

    one = 4 * 1000
    assert recorded(Chain(), 1000).peak_bytes <= 3 * one
    assert 5 * one <= recorded(Kept(), 1000).peak_bytes <= 8 * one


def test_an_operator_without_a_cost_is_reported():
    class Spectrum(nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x).abs()

    assert any("fft" in name for name in recorded(Spectrum(), 8).unknown)


def test_bytes_of_a_product():
    assert Gemm(2, rows=3, columns=5, depth=7, has_bias=False).moved_bytes == 2 * 4 * (3 * 7 + 7 * 5 + 3 * 5)
