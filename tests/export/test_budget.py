"""The time model against the reference table (export experiments, section 3.4) and its verdicts."""

import pytest
import torch
from torch import nn

from export.budget import P100, Budget, Gpu, _verdict, estimate_budget, gemm_seconds
from export.kernels import Gemm
from export.portable_vit import PortableViT, ViTShape
from train.model.embedder import Embedder


def headed(backbone, width):
    """A tower on the meta device with a 64-D head: real shapes, no memory."""
    return Embedder(backbone, nn.Linear(width, 64, device="meta"))


def vit(width, n_layers, n_heads, mlp_width, patch_px, image_px, out_dim):
    n_tokens = (image_px // patch_px) ** 2 + 1
    with torch.device("meta"):
        tower = PortableViT(
            ViTShape(
                patch_px,
                patch_px,
                n_tokens,
                width,
                n_layers,
                n_heads,
                mlp_width,
                out_dim,
                "gelu",
                False,
                True,
                "tok",
                False,
                1e-5,
            )
        )
    return headed(tower, out_dim)


H14 = (1280, 32, 16, 5120, 14)


@pytest.mark.parametrize(
    ("shape", "n_millions", "gflop", "ms", "low_hours", "high_hours", "gib", "verdict"),
    [
        ((768, 12, 12, 3072, 32, 224, 512), 87.8, 8.8, 3.4, 1.0, 1.9, 1.1, "fits"),
        ((*H14, 224, 1024), 632.1, 334.6, 68.3, 4.7, 6.2, 3.2, "fits"),
        ((*H14, 280, 1024), 632.3, 531.5, 91.8, 6.1, 7.7, 3.2, "fits"),
        ((*H14, 336, 1024), 632.5, 781.5, 133.8, 8.5, 10.5, 3.2, "tight"),
        ((*H14, 378, 1024), 632.7, 1007.0, 171.5, 10.6, 12.9, 3.2, "over"),
    ],
    ids=lambda value: "",
)
def test_reference_table(shape, n_millions, gflop, ms, low_hours, high_hours, gib, verdict):
    budget = estimate_budget(vit(*shape), shape[5])
    assert budget.n_parameters / 1e6 == pytest.approx(n_millions, abs=0.1)
    assert budget.gflop == pytest.approx(gflop, abs=0.1)
    assert budget.model_ms == pytest.approx(ms, rel=0.08)
    assert budget.low_hours == pytest.approx(low_hours, rel=0.08)
    assert budget.high_hours == pytest.approx(high_hours, rel=0.08)
    assert budget.memory_gib == pytest.approx(gib, abs=0.1)
    assert (budget.verdict, budget.unknown_operators) == (verdict, ())


def test_against_a_published_measurement_on_another_gpu():
    """A100, TF32 off, ViT-B/16 at 384 px, batch one: 12.38 ms (NVIDIA FasterTransformer, vit_guide.md)."""
    a100 = Gpu(flops=19.5e12, bandwidth=1555e9, n_processors=108)
    assert estimate_budget(vit(768, 12, 12, 3072, 16, 384, 512), 384, a100).model_ms == pytest.approx(12.38, rel=0.05)


def test_a_wave_more_costs_a_wave():
    """57 tiles on 56 processors take two waves: adding one row of tiles to a full wave must be a step up."""
    full = gemm_seconds(Gemm(1, 128 * 7, 128 * 8, 4096, False), P100)  # 56 tiles of 128 x 128
    more = gemm_seconds(Gemm(1, 128 * 7 + 1, 128 * 8, 4096, False), P100)
    assert full == pytest.approx(2 * 896 * 1024 * 4096 / (9.3e12 * 0.90) + 4e-6, rel=0.01)
    assert more > 1.05 * full


def test_verdicts():
    assert _verdict(4.0, 8.9, 3.0, set())[0] == "fits"
    assert _verdict(4.0, 9.1, 3.0, set())[0] == "tight"
    assert _verdict(9.1, 11.0, 3.0, set())[0] == "over"
    assert _verdict(1.0, 2.0, 16.5, set())[0] == "over"
    verdict, reason = _verdict(1.0, 2.0, 3.0, {"aten.mystery.default"})
    assert verdict == "unknown" and "aten.mystery.default" in reason


def test_a_trained_embedder_fits_and_is_left_alone(tiny_embedder, tiny_spec):
    budget = estimate_budget(tiny_embedder, tiny_spec.image_px)
    assert isinstance(budget, Budget) and budget.verdict == "fits"
    assert budget.n_parameters == sum(parameter.numel() for parameter in tiny_embedder.parameters())
    assert budget.to_dict()["limit_hours"] == 9.0
    assert next(tiny_embedder.parameters()).device.type == "cpu"


def test_parallel_layers_cost_as_much_as_the_one_they_become(make_embedder, tiny_spec):
    embedders = [make_embedder("linear"), make_embedder("parallel", options={"dropouts": [0.1] * 20})]
    one, many = (estimate_budget(embedder, tiny_spec.image_px) for embedder in embedders)
    assert (many.verdict, many.model_ms, many.n_kernels) == ("fits", one.model_ms, one.n_kernels)


def test_a_forward_pass_that_needs_values_is_unknown_not_a_crash():
    class Peeks(nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3)) if float(images.sum()) > 0 else images[:, :, 0, 0]

    budget = estimate_budget(headed(Peeks(), 3), 8)
    assert budget.verdict == "unknown" and "no forward pass without data" in budget.unknown_operators[0]
