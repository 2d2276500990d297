import pytest
import torch

from benchmarks.step import (
    FORWARDS,
    build_module,
    flops_of,
    forward_pass,
    lines_of,
    main,
    make_batch,
    missed_limits,
    training_step,
)

TINY = "vit_tiny_patch16_224"


@pytest.mark.parametrize("way", ["plain", "bf16, checkpointing"])
def test_a_step_trains_the_whole_tower(way):
    module = build_module(TINY, way, "cpu", 32, n_classes=5)
    before = [p.detach().clone() for p in module.parameters()]
    training_step(module, way, make_batch(2, 32, "cpu"))()
    changed = [not torch.equal(a, b) for a, b in zip(before, module.parameters())]
    assert sum(changed) > 0.9 * len(changed)


def profiled(work) -> set[str]:
    """Names of the operators that ran."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        work()
    return {event.key for event in profile.key_averages()}


def test_the_tower_attends_by_one_kernel_and_nothing_is_fetched():
    """PyTorch's scaled dot product attention, not a product, a softmax and a product; no `.item()` between the batch
    and the gradients (fused AdamW for CPUs reads its own step counter; it has one kernel for all parameters)."""
    module, batch = build_module(TINY, "bf16", "cpu", 32, n_classes=5), make_batch(2, 32, "cpu")
    names = profiled(lambda: module.training_step(batch, 0).backward())
    assert "aten::scaled_dot_product_attention" in names
    assert not names & {"aten::item", "aten::_local_scalar_dense"}
    assert "aten::_fused_adamw_" in profiled(training_step(module, "bf16", batch))


def test_the_plain_loop_does_fetch_its_loss():
    """So that the test above can fail."""
    module = build_module(TINY, "plain", "cpu", 32, n_classes=5)
    assert "aten::item" in profiled(lambda: module.training_step(make_batch(2, 32, "cpu"), 0).item())


def test_flops_of_a_step_are_about_three_forwards():
    module = build_module(TINY, "float32", "cpu", 32, n_classes=5)
    batch = make_batch(2, 32, "cpu")
    forward = flops_of(forward_pass(module, "plain, frozen", batch))
    assert 2.7 < flops_of(training_step(module, "float32", batch)) / forward < 3.1


def test_lines_and_limits():
    """8 images of 0.5 TFLOP in 2 s: 2 of a peak of 8 TFLOP/s."""
    rows = [
        {"way": "plain", "seconds": [4.0, 2.0]}, {"way": "bf16", "seconds": [2.0, 2.0], "memory_gb": 3.0},
        {"way": "bf16, compiled", "seconds": None}, *({"way": way, "seconds": [1.0]} for way in FORWARDS),
    ]
    lines, shares = lines_of(rows, 8, {"training": 0.5e12, "frozen": 0.25e12}, 8e12)
    assert lines[1] == ["bf16", "8", "4.0", "1.50", "0.25", "3.0"] and lines[2][2] == "out of memory"
    assert shares["bf16"] == 0.25 and shares["bf16, frozen"] == 0.25
    assert missed_limits([shares]) == ["full fine-tuning: 0.25 of the matrix peak, at least 0.45 wanted",
                                       "frozen forward: 0.25 of the matrix peak, at least 0.6 wanted"]


@pytest.mark.gpu
def test_no_step_waits_for_the_gpu():
    """CUDA itself reports every wait of the host, after two steps that may set things up."""
    module = build_module("ViT-B-32", "bf16", "cuda", 224)
    step = training_step(module, "bf16", make_batch(8, 224, "cuda"))
    step()
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_vit_h_reaches_its_share_of_the_matrix_peak():
    assert main(["--arch", "ViT-H-14", "--batches", "32,64"]) == 0
