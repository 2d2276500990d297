"""ArcFace over very many classes: loss and backward in chunks of classes beside pytorch-metric-learning's ArcFaceLoss.

python -m benchmarks.losses [--classes 350000] [--batches 128 512] [--rounds 5] [--quick] [--write]

Time: the ways take turns in one process, on the same tensors; a ratio is the median over the rounds, wall clock and CPU
time of the process. Limit: this machine's own matrix products of the size of a chunk, three times 2 B C D operations,
which any way needs. Memory: a process for each way; the most it holds during loss and backward, the gradient of the
centres included, above the centres themselves. "whole table" is our loss without chunks.

--write puts the tables into benchmarks/RESULTS.md. Ends with status 1 if a limit is missed.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.sections import peak_mb_of, report_missed, times_longer, write_section

OURS, PEER, WHOLE, PRODUCT = "in chunks", "pytorch-metric-learning", "whole table", "matrix products alone"
WAYS = (OURS, PEER, WHOLE)
DIM, MARGIN_RAD, SCALE = 64, 0.5, 30.0
LEAST_TIMES_FASTER, MOST_MEMORY_SHARE, MOST_RELATIVE_ERROR = 3.0, 1 / 3, 1e-3
HEADING = "Large label spaces"


def build_steps(n_classes: int, batch: int, names: tuple[str, ...]) -> dict[str, Callable[[], tuple]]:
    """Name -> a step that returns loss, gradient of the raw embeddings [B, D] and of the centres [C, D]."""
    import torch
    from pytorch_metric_learning.losses import ArcFaceLoss
    from torch.nn import functional

    from train.losses.class_chunks import chunked_margin_softmax_loss
    from train.losses.classifier import CosineClassifier
    from train.losses.margin_softmax import margin_softmax_loss
    from train.losses.margins import arcface

    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(batch, DIM, generator=generator, requires_grad=True)
    ids = torch.randint(0, n_classes, (batch,), generator=generator)
    classifier = CosineClassifier(n_classes, DIM, generator=generator)
    peer = ArcFaceLoss(n_classes, DIM, math.degrees(MARGIN_RAD), SCALE) if PEER in names else None
    if peer is not None:
        peer.W.data.copy_(classifier.centres.data[:, 0].T)

    def margin(targets: torch.Tensor) -> tuple[torch.Tensor, None]:
        return arcface(targets[:, None], torch.zeros_like(ids), MARGIN_RAD)[:, 0], None

    def ours() -> torch.Tensor:
        return chunked_margin_softmax_loss(functional.normalize(raw, dim=1), classifier.centres, ids, margin, SCALE)

    def whole() -> torch.Tensor:
        cosines = classifier(functional.normalize(raw, dim=1))
        return margin_softmax_loss(arcface(cosines, ids, MARGIN_RAD), ids, SCALE)

    def step(loss_of: Callable[[], torch.Tensor], centres: torch.Tensor) -> tuple:
        raw.grad = centres.grad = None
        loss = loss_of()
        loss.backward()
        return loss.item(), raw.grad, centres.grad

    steps = {
        OURS: lambda: step(ours, classifier.centres), WHOLE: lambda: step(whole, classifier.centres),
        PEER: lambda: step(lambda: peer(raw, ids), peer.W), PRODUCT: product_step(n_classes, batch),
    }
    return {name: steps[name] for name in names}


def product_step(n_classes: int, batch: int) -> Callable[[], None]:
    """The three products that loss and backward need, in buffers that stay in the caches."""
    import torch

    n = min(n_classes, 2**19 // batch)
    images, centres, table = torch.randn(batch, DIM), torch.randn(n, DIM), torch.randn(n, batch)
    to_images, to_centres, logits = torch.zeros(batch, DIM), torch.empty(n, DIM), torch.empty(n, batch)

    def step() -> None:
        for _ in range(round(n_classes / n)):
            torch.mm(centres, images.T, out=logits)
            to_images.addmm_(table.T, centres)
            torch.mm(table, images, out=to_centres)

    return step


def measure_time(n_classes: int, batch: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Way -> (wall, CPU) seconds of each round, after one unmeasured; checks that the ways agree."""
    steps = build_steps(n_classes, batch, (*WAYS, PRODUCT))
    check_agreement(steps)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    steps[PRODUCT]()
    for _ in range(rounds):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return seconds


def check_agreement(steps: dict[str, Callable[[], tuple]]) -> None:
    """Loss and gradients of our chunks and the peer's, relative to the largest value."""
    loss, to_raw, to_centres = steps[OURS]()
    to_raw, to_centres = to_raw.clone(), to_centres[:, 0].clone()
    peer_loss, peer_to_raw, peer_to_centres = steps[PEER]()
    errors = [abs(loss - peer_loss) / abs(peer_loss)]
    for got, wanted in ((to_raw, peer_to_raw), (to_centres, peer_to_centres.T)):
        errors.append(((got - wanted).abs().max() / wanted.abs().max()).item())
    steps[WHOLE]()
    if max(errors) > MOST_RELATIVE_ERROR:
        raise SystemExit(f"error: loss and gradients differ from the peer's by {errors} of the largest value")


def measure_memory_here(name: str, n_classes: int, batch: int) -> float:
    """Peak MB of one step in this process, which should do nothing else."""
    build_steps(100, batch, (name,))[name]()  # threads and kernels are there
    return peak_mb_of(build_steps(n_classes, batch, (name,))[name])


def measure_memory(n_classes: int, batch: int) -> dict[str, float]:
    """Way -> peak MB, each in a process of its own."""
    found = {}
    for name in WAYS:
        command = [sys.executable, "-m", "benchmarks.losses", "--memory-of", name, "--classes", str(n_classes),
                   "--batches", str(batch)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(n_classes: int, batch: int, seconds: dict, memory_mb: dict[str, float]) -> list[str]:
    """One markdown table."""
    head = f"{n_classes:,} classes, {DIM}-D, batch {batch}"
    lines = [f"| {head} | s | CPU s | x peer | x peer, CPU | peak MB | of peer |",
             "|" + "---|" * 7]
    for name, rounds in seconds.items():
        wall, cpu = (statistics.median(one[clock] for one in rounds) for clock in (0, 1))
        memory = " | "
        if name in memory_mb:
            memory = f"{memory_mb[name]:.0f} | {memory_mb[name] / memory_mb[PEER]:.2f}"
        lines.append(f"| {name} | {wall:.3f} | {cpu:.3f} | {times_longer(seconds, name, PEER, 0):.2f} | "
                     f"{times_longer(seconds, name, PEER, 1):.2f} | {memory} |")
    return lines


def missed_limits(batch: int, seconds: dict, memory_mb: dict[str, float]) -> list[str]:
    """What the figures miss, in words."""
    missed = []
    faster, share = times_longer(seconds, OURS, PEER, 0), memory_mb[OURS] / memory_mb[PEER]
    if faster < LEAST_TIMES_FASTER:
        missed.append(f"batch {batch}: {faster:.2f} x {PEER}, at least {LEAST_TIMES_FASTER} wanted")
    if share > MOST_MEMORY_SHARE:
        missed.append(f"batch {batch}: {share:.2f} of the peer's memory, at most {MOST_MEMORY_SHARE:.2f} wanted")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.losses", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--classes", type=int, default=350_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="35,000 classes, 2 rounds: does it run?")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(measure_memory_here(options.memory_of, options.classes, options.batches[0])))
        return 0
    n_classes, rounds = (35_000, 2) if options.quick else (options.classes, options.rounds)
    lines, missed = [], []
    for batch in options.batches:
        seconds, memory_mb = measure_time(n_classes, batch, rounds), measure_memory(n_classes, batch)
        lines += [*table(n_classes, batch, seconds, memory_mb), ""]
        missed += missed_limits(batch, seconds, memory_mb)
    print("\n".join(lines))
    if options.write:
        batches = " ".join(map(str, options.batches))
        command = f"python -m benchmarks.losses --classes {n_classes} --batches {batches} --rounds {rounds}"
        write_section(HEADING, command, lines[:-1])
    return report_missed(missed)


if __name__ == "__main__":
    sys.exit(main())
