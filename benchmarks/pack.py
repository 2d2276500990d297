"""The whole build, catalogue to manifest: its rate against bare decode-resize-encode, and its memory at a million rows.

python -m benchmarks.pack [--workers 2] [--rows 80000] [--many-rows 1000000] [--folder /tmp/pack_benchmark] [--write]

Pictures are drawn: a few hundred a size, smooth shapes and noise, JPEG quality 90. Every row is a file of its own, made
from one of them by putting its number into a comment segment: other bytes for the duplicate step, the same work for the
decoder. The step for near duplicates, which would see through that, is off, as it is unless a mixture asks for it.

Rate: `prepare_image` over files that lie in memory, in as many processes at once as the build has workers, before and
after the build; their mean, summed over the processes, is what the cores can do. CPU seconds say the same where other
programs disturb the clock: those of the bare work for all rows, divided by those of the build and all its processes.
Memory: the peak (VmHWM of /proc) of the build's process and of its largest worker.

--write puts the table into benchmarks/RESULTS.md. `benchmarks.images` and `benchmarks.catalogue` run as sections where
they exist. Ends with status 1 if a limit is missed.
"""

import argparse
import importlib.util
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from benchmarks.sections import report_missed, write_section
from data_prep.allocator import keep_freed_pictures
from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.images import prepare_image
from data_prep.mixture import MixtureConfig
from data_prep.progress import progress_bar
from data_prep.workers import usable_cpus

SIZES = ((500, 375), (800, 600), (1600, 1200))
IMAGE_PX = 256
LEAST_RATIO = 0.85
FEWEST_ROWS = 2_000
MOST_GB = 1.5
FEW_ROWS = 20_000
N_DRAWN = 120  # different pictures of a size
IMAGES_PER_CLASS = 20


def draw(size: tuple[int, int], seed: int) -> bytes:
    """A JPEG with structure at every scale, about as large as a photograph's."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size[1], size[0], 3), np.float32)
    for cells, height in ((4, 90.0), (16, 50.0), (64, 25.0), (size[1], 6.0)):
        coarse = rng.normal(0, height, (min(cells, size[1]), min(cells, size[0]), 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(coarse[..., channel]).resize(size, Image.Resampling.BICUBIC)
            picture[..., channel] += np.asarray(layer)
    stream = io.BytesIO()
    Image.fromarray(np.clip(picture + 128, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def numbered(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes: a comment segment after the start."""
    comment = b"%016d" % number
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


def write_raw(folder: Path, size: tuple[int, int], n_rows: int) -> list[bytes]:
    """`n_rows` files and their list; returns the drawn pictures."""
    drawn = [draw(size, seed) for seed in range(N_DRAWN)]
    paths = []
    with progress_bar(n_rows, f"draw {size[0]}x{size[1]}", "file") as bar:
        for row in range(n_rows):
            path = folder / "drawn" / f"{row // 1000:04d}" / f"{row % 1000:03d}.jpg"
            if row % 1000 == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(numbered(drawn[row % N_DRAWN], row))
            paths.append(f"{row // 1000:04d}/{row % 1000:03d}.jpg")
            bar.update()
    listed = pl.DataFrame({"path": paths}).with_row_index("row")
    listed = listed.select("path", class_key=(pl.col("row") // IMAGES_PER_CLASS).cast(pl.String), split=pl.lit("train"))
    listed.write_parquet(folder / "drawn" / "list.parquet")
    os.sync()  # or the build's own syncs would wait for these files
    return drawn


def bare_work(arguments: tuple[list[bytes], int]) -> tuple[float, float]:
    """(seconds, CPU seconds) of one process that prepares so many pictures from memory."""
    drawn, n = arguments
    keep_freed_pictures()  # as a build's workers
    prepare_image(drawn[0], IMAGE_PX, 92, False)
    start, start_cpu = time.perf_counter(), time.process_time()
    for number in range(n):
        prepare_image(drawn[number % len(drawn)], IMAGE_PX, 92, False)
    return time.perf_counter() - start, time.process_time() - start_cpu


def bare_rate(drawn: list[bytes], n: int, workers: int) -> tuple[float, float]:
    """(images/s of all processes together, CPU seconds an image)."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(bare_work, [(drawn, n)] * workers))
    return sum(n / seconds for seconds, _ in done), sum(cpu for _, cpu in done) / (n * workers)


def build_here(folder: Path, workers: int, image_px: int) -> None:
    """What the measured process does: one build, its seconds on stdout."""
    source = {"source": "drawn", "reader": "table", "domain": "things",
              "options": {"file": "list.parquet", "split_column": "split"}}  # fmt: skip
    tree = {"name": "drawn", "seed": 0, "image_px": image_px, "sources": [source]}
    start = time.perf_counter()
    build(build_config(MixtureConfig, tree, "benchmark"), folder, folder / "shards", workers)
    print(json.dumps(time.perf_counter() - start))


def measured_build(folder: Path, workers: int, image_px: int) -> dict:
    """Seconds, CPU seconds of all processes, and the peak memory of the main process and the largest other one."""
    shutil.rmtree(folder / "shards", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.pack", "--build-here", str(image_px), "--folder", str(folder),
               "--workers", str(workers)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    peak_kb: dict[int, int] = {}
    cpu_s: dict[int, float] = {}
    while process.poll() is None:
        for pid in _processes_of_session(process.pid):
            peak_kb[pid] = max(peak_kb.get(pid, 0), _peak_kb(pid))
            cpu_s[pid] = max(cpu_s.get(pid, 0.0), _cpu_s(pid))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit("error: the build failed")
    others = [peak for pid, peak in peak_kb.items() if pid != process.pid]
    return {
        "seconds": json.loads(process.stdout.read()),
        "cpu_s": sum(cpu_s.values()),
        "main_gb": peak_kb[process.pid] * 1024 / 1e9,
        "worker_gb": max(others, default=0) * 1024 / 1e9,
    }


def _processes_of_session(session: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getsid(int(entry)) == session:
                    found.append(int(entry))
            except OSError:  # it has just ended
                continue
    return found


def _peak_kb(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_rate(folder: Path, workers: int, rows_of_the_smallest: int) -> tuple[list[str], list[str]]:
    """(table lines, limits that were missed)."""
    heading = f"| JPEGs | rows | {workers} bare processes, img/s | build, img/s | ratio | ratio by CPU seconds |"
    lines = [heading, "|---|---|---|---|---|---|"]
    missed = []
    for size in SIZES:
        # Fewer of the larger ones: about as long for each size. What starting costs should not decide the rate.
        n_rows = max(FEWEST_ROWS, int(rows_of_the_smallest * (SIZES[0][0] * SIZES[0][1] / (size[0] * size[1])) ** 0.7))
        place = folder / f"{size[0]}x{size[1]}"
        shutil.rmtree(place, ignore_errors=True)
        drawn = write_raw(place, size, n_rows)
        n = max(50, n_rows // (8 * workers))
        before = bare_rate(drawn, n, workers)
        built = measured_build(place, workers, IMAGE_PX)
        after = bare_rate(drawn, n, workers)
        shutil.rmtree(place)
        bare, bare_cpu = ((first + second) / 2 for first, second in zip(before, after, strict=True))
        rate = n_rows / built["seconds"]
        name = f"{size[0]}x{size[1]}"
        by_cpu = bare_cpu * n_rows / built["cpu_s"]
        lines.append(f"| {name} | {n_rows:,} | {bare:.0f} | {rate:.0f} | {rate / bare:.2f} | {by_cpu:.2f} |")
        print(lines[-1], flush=True)
        if rate < LEAST_RATIO * bare:
            missed.append(f"{name}: {rate / bare:.2f} of the bare rate, at least {LEAST_RATIO} wanted")
    return lines, missed


def measure_memory(folder: Path, workers: int, many_rows: int) -> tuple[list[str], list[str]]:
    """(table lines, limits that were missed); 64 px pictures, packed as they are."""
    lines = ["| rows of 64x64 JPEGs | build's process, GB | largest worker, GB | img/s |", "|---|---|---|---|"]
    missed = []
    for n_rows in (FEW_ROWS, many_rows):
        place = folder / f"{n_rows}"
        shutil.rmtree(place, ignore_errors=True)
        write_raw(place, (64, 64), n_rows)
        built = measured_build(place, workers, IMAGE_PX)
        shutil.rmtree(place)
        lines.append(
            f"| {n_rows:,} | {built['main_gb']:.2f} | {built['worker_gb']:.2f} | {n_rows / built['seconds']:.0f} |"
        )
        print(lines[-1], flush=True)
        if max(built["main_gb"], built["worker_gb"]) > MOST_GB:
            missed.append(f"{n_rows:,} rows: {built['main_gb']:.2f} and {built['worker_gb']:.2f} GB, at most {MOST_GB}")
    return lines, missed


def run_beside(names: tuple[str, ...]) -> list[str]:
    """Run other benchmarks of this folder that exist; names of those that missed a limit."""
    missed = []
    for name in names:
        module = f"benchmarks.{name}"
        if importlib.util.find_spec(module) and subprocess.run([sys.executable, "-m", module]).returncode:
            missed.append(f"{module}: a limit was missed")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pack", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=usable_cpus())
    parser.add_argument("--rows", type=int, default=80_000, help="files of 500x375; fewer of the larger ones")
    parser.add_argument("--many-rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/pack_benchmark"), help="room for the files: 8 GB")
    parser.add_argument("--sections", nargs="+", default=["rate", "memory", "images", "catalogue"])
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    parser.add_argument("--build-here", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build_here:
        build_here(options.folder, options.workers, options.build_here)
        return 0
    parts = []
    if "rate" in options.sections:
        parts.append(measure_rate(options.folder, options.workers, options.rows))
    if "memory" in options.sections:
        parts.append(measure_memory(options.folder, options.workers, options.many_rows))
    tables = [line for lines, _ in parts for line in [*lines, ""]]
    missed = [problem for _, problems in parts for problem in problems]
    if options.write:
        command = f"python -m benchmarks.pack --workers {options.workers} --rows {options.rows}"
        write_section("Packing", f"{command} --many-rows {options.many_rows}", tables[:-1])
    missed += run_beside(tuple(name for name in ("images", "catalogue") if name in options.sections))
    print("\n".join(tables))
    return report_missed(missed)


if __name__ == "__main__":
    sys.exit(main())
