"""A training step beside the plain loop of the peers, and as a share of what the machine's matrix product can do.

python -m benchmarks.step [--arch vit_small_patch16_224] [--batches 16] [--quick] [--write]     on a CPU
python -m benchmarks.step --arch ViT-H-14 --batches 16,32,64,128 --write                       on an H100 or H200

Each way trains the whole tower under ArcFace on images that lie in memory; the ways take turns, round after round.
"plain" is float32, no compilation, AdamW as it comes, and the loss fetched in every step. The others are what a stage
does: the tower in the stage's precision, float32 cosines and softmax, a fused AdamW, nothing fetched. FLOPs are counted
(forward and backward, without what checkpointing computes again) and divided by time and by the best bf16 matrix
product measured in the same run. On a GPU the limits are 45 % of that for full fine-tuning and 60 % for the frozen
tower's forward pass; exit status 1: one was missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace

from benchmarks.sections import report_missed, table, write_section
from data_prep.allocator import keep_freed_memory
from train.cpu_settings import wait_without_spinning

WAYS = {  # name -> (precision, options)
    "plain": ("32-true", ()),
    "float32": ("32-true", ("ours",)),
    "bf16": ("bf16-mixed", ("ours",)),
    "bf16, compiled": ("bf16-mixed", ("ours", "compile")),
    "bf16, checkpointing": ("bf16-mixed", ("ours", "checkpointing")),
}
FORWARDS = {"plain, frozen": "32-true", "bf16, frozen": "bf16-mixed"}
LIMIT_TRAINING, LIMIT_FROZEN = 0.45, 0.6
N_CLASSES = 10_000


def build_module(arch: str, way: str, device: str, image_px: int, n_classes: int = N_CLASSES):
    """The stage module of a way, its optimizer in `make_optimizer()`."""
    import numpy as np
    import torch

    from train.lightning_module import StageModule
    from train.loss_config import MarginConfig
    from train.losses.classifier import CosineClassifier
    from train.model.backbones import BackboneSpec, build_backbone
    from train.model.embedder import Embedder
    from train.stages.margin import build_margin
    from train.stages.objective import Objective
    from train.stages.start import preprocess_of, set_gradient_checkpointing

    options = WAYS[way][1]
    torch.manual_seed(0)
    kind = "open_clip" if arch.startswith("ViT") else "timm"
    backbone = build_backbone(BackboneSpec(kind, arch, None, image_px))
    set_gradient_checkpointing(backbone, "checkpointing" in options)
    rows = np.arange(n_classes)
    objective = Objective(build_margin(MarginConfig(margin_rad=0.2), rows, n_classes, n_classes, 30.0), 30.0, 0.0, 1, 0,
                          batch_norm_frozen=True)
    embedder = Embedder(backbone, torch.nn.Linear(backbone.width, 64))
    module = StageModule(embedder, CosineClassifier(n_classes, 64), preprocess_of(backbone, image_px, "squash"),
                         objective, rows, None)
    memory = {} if way == "plain" else {"memory_format": torch.channels_last}
    module.to(device, **memory)
    module.log = lambda *arguments, **options: None
    module.trainer = SimpleNamespace(current_epoch=0, global_step=0)
    if "compile" in options:
        module.compiled_features = torch.compile(embedder.features)
    module.make_optimizer = lambda: torch.optim.AdamW(module.parameters(), lr=1e-4, fused=way != "plain" or None)
    return module


def make_batch(batch: int, image_px: int, device: str) -> dict:
    """Random pixels and labels, on the device."""
    import torch

    return {
        "pixels": torch.randint(0, 256, (batch, image_px, image_px, 3), dtype=torch.uint8, device=device),
        "indices": torch.arange(batch, device=device),
    }


def training_step(module, way: str, batch: dict) -> Callable[[], None]:
    """One step of a way, to be called again and again."""
    import torch

    optimizer, device = module.make_optimizer(), batch["pixels"].device.type
    half = WAYS[way][0] == "bf16-mixed"
    module.objective.set_modes(module.embedder)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=half, cache_enabled=False):
            loss = module.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if way == "plain":
            loss.item()

    return step


def forward_pass(module, way: str, batch: dict) -> Callable[[], None]:
    """A frozen tower's forward pass, as the feature cache does it, in the given precision."""
    import torch

    device = batch["pixels"].device.type

    def forward() -> None:
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=FORWARDS[way] == "bf16-mixed"):
            module._tower_features(batch["pixels"])

    return forward


def seconds_of(work: Callable[[], None], device: str, repeats: int) -> float:
    """Seconds of one call, the device's work included."""
    import torch

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    wait()
    return (time.perf_counter() - start) / repeats


def matrix_flops_per_second(device: str) -> float:
    """The best bf16 matrix product found."""
    import torch

    best = 0.0
    for side in (4096, 8192) if device == "cuda" else (1024, 2048):
        a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
        seconds_of(lambda a=a, b=b: a @ b, device, 3)
        best = max(best, *(2 * side**3 / seconds_of(lambda a=a, b=b: a @ b, device, 5) for _ in range(4)))
    return best


def flops_of(work: Callable[[], None]) -> float:
    """Of one call, counted by torch: matrix products, convolutions and attention."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def flops_per_image(arch: str, image_px: int, device: str) -> dict[str, float]:
    """`training`: forward and backward of one image; `frozen`: forward alone."""
    module, batch = build_module(arch, "float32", device, image_px), make_batch(1, image_px, device)
    frozen = flops_of(forward_pass(module, "plain, frozen", batch))
    return {"training": flops_of(training_step(module, "float32", batch)), "frozen": frozen}


def measure(arch: str, ways: list[str], batch_size: int, image_px: int, rounds: int, repeats: int) -> list[dict]:
    """A row for each way: seconds of a step round by round, and peak memory on a GPU; None where it did not fit.

    On a CPU all models stay and take turns; on a GPU one stands alone there, because its memory is one of the figures.
    """
    import torch

    if not torch.cuda.is_available():
        batch = make_batch(batch_size, image_px, "cpu")
        works = {way: prepared(arch, way, batch, image_px) for way in [*ways, *FORWARDS]}
        rows = {way: {"way": way, "seconds": []} for way in works}
        for _ in range(rounds):
            for way, work in works.items():
                rows[way]["seconds"].append(seconds_of(work, "cpu", repeats))
        return list(rows.values())
    return [measure_on_gpu(arch, way, batch_size, image_px, (rounds, repeats)) for way in [*ways, *FORWARDS]]


def measure_on_gpu(arch: str, way: str, batch_size: int, image_px: int, counts: tuple[int, int]) -> dict:
    """One way alone on the GPU; `counts`: rounds, and calls in each."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        work = prepared(arch, way, make_batch(batch_size, image_px, "cuda"), image_px)
        seconds = [seconds_of(work, "cuda", counts[1]) for _ in range(counts[0])]
    except torch.OutOfMemoryError:
        return {"way": way, "seconds": None}
    return {"way": way, "seconds": seconds, "memory_gb": torch.cuda.max_memory_allocated() / 1e9}


def prepared(arch: str, way: str, batch: dict, image_px: int) -> Callable[[], None]:
    """The way's step or forward pass, called twice already."""
    device = batch["pixels"].device.type
    built_as = {"plain, frozen": "plain", "bf16, frozen": "bf16"}.get(way, way)
    module = build_module(arch, built_as, device, image_px)
    work = (forward_pass if way in FORWARDS else training_step)(module, way, batch)
    seconds_of(work, device, 2)
    return work


def lines_of(
    rows: list[dict], batch_size: int, flops: dict[str, float], peak: float
) -> tuple[list[list[str]], dict[str, float]]:
    """Lines of the table, and the share of the peak of each way."""
    plain = {"training": next(row for row in rows if row["way"] == "plain"),
             "frozen": next(row for row in rows if row["way"] == "plain, frozen")}
    lines, shares = [], {}
    for row in rows:
        kind = "frozen" if row["way"] in FORWARDS else "training"
        memory = f"{row['memory_gb']:.1f}" if "memory_gb" in row else ""
        if row["seconds"] is None:
            lines.append([row["way"], str(batch_size), "out of memory", "", "", ""])
            continue
        seconds = statistics.median(row["seconds"])
        shares[row["way"]] = flops[kind] * batch_size / seconds / peak
        ratios = [a / b for a, b in zip(plain[kind]["seconds"] or (), row["seconds"])]
        lines.append([row["way"], str(batch_size), f"{batch_size / seconds:.1f}",
                      f"{statistics.median(ratios):.2f}" if ratios else "", f"{shares[row['way']]:.2f}", memory])
    return lines, shares


def missed_limits(shares: list[dict[str, float]]) -> list[str]:
    """What no batch size reaches, in words; for a GPU."""
    training = max(share for found in shares for way, share in found.items() if way not in FORWARDS)
    frozen = max(found.get("bf16, frozen", 0.0) for found in shares)
    return [f"{name}: {got:.2f} of the matrix peak, at least {limit} wanted" for name, got, limit in (
        ("full fine-tuning", training, LIMIT_TRAINING), ("frozen forward", frozen, LIMIT_FROZEN)) if got < limit]


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--arch", default="vit_small_patch16_224", help="timm's name, or open_clip's (ViT-...)")
    parser.add_argument("--batches", default="16", help="batch sizes, separated by commas")
    parser.add_argument("--image-px", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tiny transformer, one round, nothing compiled")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    wait_without_spinning()
    import torch

    arch, rounds, ways = options.arch, options.rounds, list(WAYS)
    batches = [int(size) for size in options.batches.split(",")]
    if options.quick:
        arch, rounds, batches, ways = "vit_tiny_patch16_224", 1, [2], [way for way in WAYS if "compiled" not in way]
    on_gpu = torch.cuda.is_available()
    peak = matrix_flops_per_second("cuda" if on_gpu else "cpu")
    flops = flops_per_image(arch, options.image_px, "cuda" if on_gpu else "cpu")
    lines, shares = [], []
    for batch_size in batches:
        rows = measure(arch, ways, batch_size, options.image_px, rounds, 10 if on_gpu else 1)
        more, found = lines_of(rows, batch_size, flops, peak)
        lines, shares = lines + more, [*shares, found]
        print("\n".join(" ".join(line) for line in more), flush=True)
    missed = missed_limits(shares) if on_gpu else []
    text = [
        f"{arch} at {options.image_px} px on {torch.cuda.get_device_name() if on_gpu else 'the CPU'}, the whole tower",
        "trained under ArcFace, images in memory; the ways in turn in one run. `plain`: float32, AdamW as it comes,",
        "the loss fetched in every step. The others: what a stage does (float32 cosines and softmax, fused AdamW,",
        f"nothing fetched). The matrix peak is the best bf16 product of the same run: {peak / 1e12:.2f} TFLOP/s.", "",
        *table(["way", "batch", "images/s", "x plain", "share of the matrix peak", "memory, GB"], lines),
    ]
    print("\n" + "\n".join(text))
    if options.write:
        command = f"python -m benchmarks.step --arch {arch} --batches {','.join(map(str, batches))} --write"
        write_section(f"Training step on a {'GPU' if on_gpu else 'CPU'}", command, text)
    return report_missed(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
