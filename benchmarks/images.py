"""Decode, resize, encode: `data_prep/images.py` beside plain Pillow, img2dataset and other libraries, on one core.

    python -m venv .venv-img2dataset && .venv-img2dataset/bin/pip install img2dataset
    python -m benchmarks.images [--images FOLDER] [--peer-python .venv-img2dataset/bin/python]

Every way handles the same JPEGs, round after round in turn, in processes held to one core and one thread; a rate is
images per second of CPU time, the median of the rounds. Ours includes the checks and the perceptual hash, which
no peer makes. All encode at the same quality with 4:2:0 chroma. PSNR is against Pillow's antialiased bicubic
after a full decode: of the pixels before encoding, and of the decoded output file. Exit status 1: a limit was missed.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.image_libraries import PILLOW, PIXELS_OF_OURS, Way, ways
from benchmarks.photographs import EXPONENTS, photographs, read_photographs
from benchmarks.sections import report_missed
from data_prep.allocator import keep_freed_pictures
from data_prep.images import Prepared, prepare_image

# The largest first: once glibc has freed large blocks it keeps such memory, which is quicker for all that follow.
SIZES = ((1600, 1200), (800, 600), (500, 375))
# Lowest ratio to plain Pillow and to img2dataset, for every detail.
LIMITS = {(500, 375): (None, 1.0), (800, 600): (2.5, 1.5), (1600, 1200): (5.0, 2.3)}
LOWEST_PSNR_DB = 35.0
OURS, PEER = "data_prep/images.py", "img2dataset"


class Peer:
    """img2dataset in its own interpreter, on the same core; it answers one line for each line it gets."""

    def __init__(self, python: Path, image_px: int, quality: int) -> None:
        worker = Path(__file__).with_name("img2dataset_worker.py")
        command = [str(python), str(worker), str(image_px), str(quality)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )

    def ask(self, line: str) -> float:
        """CPU seconds for the folder named in `line`."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the interpreter."""
        self._process.communicate()


def measure(contents: list[bytes], peer: Peer, rounds: int, image_px: int, quality: int) -> list[dict]:
    """One row for each way: rate per core, ratios, PSNR before and after encoding, bytes."""
    table: dict[str, Way] = ways(image_px, quality)
    runs: dict[str, Callable[[bytes], bytes]] = {
        name: (lambda content, way=way: way.jpeg(way.pixels(content))) for name, way in table.items()
    }
    runs[OURS] = lambda content: _prepared(content, image_px, quality)
    references = [table[PILLOW].rgb(table[PILLOW].pixels(content)) for content in contents]
    seconds: dict[str, list[float]] = {name: [] for name in [*runs, PEER]}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as results:
        for n, content in enumerate(contents):
            Path(folder, f"{n:03}.jpg").write_bytes(content)
        peer.ask(f"{folder}\t{results}")
        outputs = {PEER: [path.read_bytes() for path in sorted(Path(results).iterdir())]}
        outputs |= {name: [run(content) for content in contents] for name, run in runs.items()}
        for _ in range(rounds):
            for name, run in runs.items():
                start = time.process_time()
                for content in contents:
                    run(content)
                seconds[name].append(time.process_time() - start)
            seconds[PEER].append(peer.ask(folder))
    pixels = {name: [way.rgb(way.pixels(content)) for content in contents] for name, way in table.items()}
    pixels[OURS] = pixels[PIXELS_OF_OURS]
    return [_row(name, seconds, outputs[name], pixels.get(name), references) for name in (OURS, PEER, *table)]


def _prepared(content: bytes, image_px: int, quality: int) -> bytes:
    prepared = prepare_image(content, image_px, quality)
    assert isinstance(prepared, Prepared), prepared
    return prepared.jpeg


def _row(name: str, seconds: dict, jpegs: list[bytes], pixels: list | None, references: list[np.ndarray]) -> dict:
    def ratio(other: str) -> float:  # round by round, so that what slows a whole round slows both
        return statistics.median(theirs / own for theirs, own in zip(seconds[other], seconds[name]))

    after = [_psnr(np.asarray(Image.open(io.BytesIO(jpeg))), wanted) for jpeg, wanted in zip(jpegs, references)]
    before = None if pixels is None else [_psnr(got, wanted) for got, wanted in zip(pixels, references)]
    return {
        "name": name, "rate": len(jpegs) / statistics.median(seconds[name]), "to_pillow": ratio(PILLOW),
        "to_peer": ratio(PEER), "before": before, "after": after, "kb": statistics.mean(map(len, jpegs)) / 1000,
    }


def _psnr(got: np.ndarray, wanted: np.ndarray) -> float:
    error = np.mean((got.astype(float) - wanted.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error) if error > 0 else np.inf


def missed_limits(where: str, size: tuple[int, int], rows: list[dict]) -> list[str]:
    """What the figures of our own way miss, in words."""
    ours = next(row for row in rows if row["name"] == OURS)
    to_pillow, to_peer = LIMITS[size]
    missed = []
    if to_pillow is not None and ours["to_pillow"] < to_pillow:
        missed.append(f"{where}: {ours['to_pillow']:.2f} x {PILLOW}, at least {to_pillow} wanted")
    if ours["to_peer"] < to_peer:
        missed.append(f"{where}: {ours['to_peer']:.2f} x {PEER}, at least {to_peer} wanted")
    if min(ours["before"]) < LOWEST_PSNR_DB:
        missed.append(f"{where}: PSNR {min(ours['before']):.1f} dB, at least {LOWEST_PSNR_DB} wanted")
    return missed


def print_table(title: str, rows: list[dict]) -> None:
    """One markdown table; PSNR as lowest / mean in dB."""
    print(f"\n| {title} | images/s | x {PILLOW} | x {PEER} | PSNR of pixels | PSNR of file | kB out |\n|{'---|' * 7}")
    for row in rows:
        before, after = (
            "" if values is None else f"{min(values):.1f} / {np.mean(values):.1f}"
            for values in (row["before"], row["after"])
        )
        ratios = f"{row['to_pillow']:.2f} | {row['to_peer']:.2f}"
        print(f"| {row['name']} | {row['rate']:.0f} | {ratios} | {before} | {after} | {row['kb']:.1f} |", flush=True)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.images", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=Path, help="folder of real JPEGs in place of the rendered ones")
    parser.add_argument("--peer-python", type=Path, default=Path(".venv-img2dataset/bin/python"))
    parser.add_argument("--n-images", type=int, default=6, help="rendered photographs of each size and detail")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--image-px", type=int, default=256)
    parser.add_argument("--quality", type=int, default=92)
    return parser.parse_args()


def main() -> int:
    """Measure and print; 1 if a limit was missed."""
    options = parse_arguments()
    if not options.peer_python.exists():
        print(f"error: no {options.peer_python}; make it as --help says", file=sys.stderr)
        return 1
    keep_freed_pictures()  # as in a build's workers; img2dataset runs as it comes
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by the peer
    peer = Peer(options.peer_python, options.image_px, options.quality)
    missed = []
    for detail in EXPONENTS if options.images is None else ("real",):
        for size in SIZES:
            if options.images is None:
                contents = photographs(size, detail, options.n_images)
            else:
                contents = read_photographs(options.images, size)
            rows = measure(contents, peer, options.rounds, options.image_px, options.quality)
            kb = statistics.mean(map(len, contents)) / 1000
            print_table(f"{size[0]}x{size[1]}, {detail}, {kb:.0f} kB in", rows)
            missed += missed_limits(f"{size[0]}x{size[1]}, {detail}", size, rows)
    peer.close()
    return report_missed(missed)


if __name__ == "__main__":
    sys.exit(main())
