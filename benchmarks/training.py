"""What the CPU settings are worth: the quickstart's tower with and without them, as ratios in one run.

python -m benchmarks.training [--image-px 128] [--batch 64]            the settings one by one
python -m benchmarks.training --grid [--quick] [--write]               before and after, 128 to 224 px, batch 16 and 64;
                                                                       threads and loading processes on 2 CPUs

Each line is a fresh process, because allocator and OpenMP settings hold for a whole process. The first line is plain
PyTorch as a peer's script would run it. A default of this project is `channels_last+kept_memory`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sections import table, write_section

VARIANTS = ("plain", "channels_last", "kept_memory", "channels_last+kept_memory")
BEFORE, AFTER = VARIANTS[0], VARIANTS[-1]
GRID = [(image_px, batch) for image_px in (128, 160, 224) for batch in (16, 64)]
# (threads, loading processes) of one training on 2 CPUs; the first is the default there.
SHARES = ((2, 0), (1, 1), (2, 1), (2, 2), (1, 0))


def measure(variant: str, image_px: int, batch: int, repeats: int = 4) -> dict[str, float]:
    """Images/s forward (no gradient) and for forward + backward, after one warm-up each."""
    tower, images = _tower_and_images(variant, image_px, batch)
    import torch

    def forward() -> None:
        with torch.no_grad():
            tower(images)

    def train_step() -> None:
        tower(images).sum().backward()

    return {name: _rate(work, batch, repeats) for name, work in (("forward", forward), ("train", train_step))}


def _tower_and_images(variant: str, image_px: int, batch: int) -> tuple:
    if "kept_memory" in variant:
        from data_prep.allocator import keep_freed_memory

        keep_freed_memory()
    import torch

    from train.model.backbones import BackboneSpec, build_backbone

    layout = torch.channels_last if "channels_last" in variant else torch.contiguous_format
    spec = BackboneSpec("timm", "tf_efficientnet_lite0", None, image_px)
    tower = build_backbone(spec).to(memory_format=layout).eval()
    return tower, torch.randn(batch, 3, image_px, image_px).to(memory_format=layout)


def _rate(work, batch: int, repeats: int) -> float:
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return batch * repeats / (time.perf_counter() - start)


def measure_share(shards: Path, n_threads: int, n_workers: int, image_px: int = 128, n_steps: int = 6) -> float:
    """Images/s of training on augmented batches of 64 from shards, with so many threads and loading processes."""
    import torch

    from benchmarks.input import our_loader
    from train.cpu_settings import wait_without_spinning
    from train.data.preprocessing import PreprocessSpec, normalise_batch

    wait_without_spinning()
    tower, _ = _tower_and_images(AFTER, image_px, 1)
    torch.set_num_threads(n_threads)
    spec = PreprocessSpec(image_px, (0.5,) * 3, (0.5,) * 3)
    loader = iter(our_loader(shards, "standard", image_px, n_workers, (n_steps + 2 * n_workers + 1) * 64))
    for _ in range(2 * n_workers + 1):  # what the processes have made while there was nothing to train on
        pixels = next(loader)["pixels"]
    tower(normalise_batch(pixels, spec)).sum().backward()
    start = time.perf_counter()
    for _ in range(n_steps):
        tower(normalise_batch(next(loader)["pixels"], spec)).sum().backward()
    return n_steps * 64 / (time.perf_counter() - start)


def in_fresh_process(*arguments: str) -> dict:
    """What this file prints as JSON with these arguments."""
    command = [sys.executable, "-m", "benchmarks.training", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measured(variant: str, image_px: int, batch: int, repeats: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    return in_fresh_process("--variant", variant, "--image-px", str(image_px), "--batch", str(batch),
                            "--repeats", str(repeats))


def grid_rows(grid: list[tuple[int, int]], repeats: int) -> list[list[str]]:
    """Lines of the table of before and after."""
    rows = []
    for image_px, batch in grid:
        before, after = (measured(variant, image_px, batch, repeats) for variant in (BEFORE, AFTER))
        cells = [f"{rates[name]:.0f}" for name in ("forward", "train") for rates in (before, after)]
        ratios = [f"{after[name] / before[name]:.2f}" for name in ("forward", "train")]
        rows.append([str(image_px), str(batch), *cells[:2], ratios[0], *cells[2:], ratios[1]])
        print(" ".join(rows[-1]), flush=True)
    return rows


def share_rows(shares: tuple[tuple[int, int], ...], rounds: int) -> list[list[str]]:
    """Lines of the table of threads and loading processes, in turn; ratios to the first."""
    from benchmarks.input import make_pictures

    rates: dict[tuple[int, int], list[float]] = {share: [] for share in shares}
    with tempfile.TemporaryDirectory() as folder:
        shards = make_pictures(Path(folder), 16)
        for _ in range(rounds):
            for share in shares:
                said = in_fresh_process("--share", f"{share[0]},{share[1]}", "--shards", str(shards))
                rates[share].append(said["rate"])
    mean = {share: sum(found) / len(found) for share, found in rates.items()}
    return [[str(threads), str(workers), f"{mean[threads, workers]:.0f}",
             f"{mean[threads, workers] / mean[shares[0]]:.2f}"] for threads, workers in shares]


def print_variants(image_px: int, batch: int) -> None:
    """The settings one by one."""
    rates = {variant: measured(variant, image_px, batch, 4) for variant in VARIANTS}
    rows = [[variant, f"{rate['forward']:.0f}", f"{rate['forward'] / rates[BEFORE]['forward']:.2f}",
             f"{rate['train']:.0f}", f"{rate['train'] / rates[BEFORE]['train']:.2f}"]
            for variant, rate in rates.items()]
    columns = [f"{image_px} px, batch {batch}", "forward img/s", "ratio", "training img/s", "ratio"]
    print("\n".join(table(columns, rows)))


def measure_grid(quick: bool, write: bool) -> None:
    """Both tables, printed, and written where asked."""
    grid, repeats, shares, rounds = (GRID[:1], 1, SHARES[:2], 1) if quick else (GRID, 2, SHARES, 2)
    columns = ["px", "batch", "forward before, img/s", "after", "ratio", "forward + backward before", "after", "ratio"]
    before_after = table(columns, grid_rows(grid, repeats))
    shared = table(["threads", "loading processes", "training img/s", "ratio"], share_rows(shares, rounds))
    text = [*_ABOUT_SETTINGS, "", *before_after, "", *_ABOUT_SHARES, "", *shared]
    print("\n" + "\n".join(text))
    if write:
        write_section("CPU settings", "python -m benchmarks.training --grid --write", text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-px", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--variant", choices=VARIANTS, help="measure one variant in this process and print JSON")
    parser.add_argument("--share", help="threads,processes: measure one share in this process and print JSON")
    parser.add_argument("--shards", type=Path, help="for --share")
    parser.add_argument("--grid", action="store_true", help="before and after, and the sharing of CPUs")
    parser.add_argument("--quick", action="store_true", help="with --grid: one size, two shares")
    parser.add_argument("--write", action="store_true", help="with --grid: put the tables into benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.image_px, options.batch, options.repeats)))
    elif options.share:
        threads, workers = (int(number) for number in options.share.split(","))
        print(json.dumps({"rate": measure_share(options.shards, threads, workers)}))
    elif options.grid:
        measure_grid(options.quick, options.write)
    else:
        print_variants(options.image_px, options.batch)


_ABOUT_SETTINGS = [
    "EfficientNet-Lite0; each figure from a fresh process, before and after one after the other. Before: PyTorch as",
    "it comes. After: what `train.fit` does by itself (channels_last, freed memory kept: `data_prep/allocator.py`).",
]
_ABOUT_SHARES = [
    "How two CPUs are shared between the threads of a training (128 px, batches of 64, augmented images from",
    "shards) and its loading processes; in turn, mean of the rounds. `train/cpu_settings.py` takes the first line",
    "on two CPUs; threads and processes together never outnumber the CPUs, so that lines 3 and 4 cannot be had.",
    "Idle threads sleep: with OpenMP's spinning, PyTorch's default, one of two trainings on two cores fell from 156",
    "to 12 images/s (64 px, measured earlier).",
]

if __name__ == "__main__":
    main()
