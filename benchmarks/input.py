"""The input pipeline beside pure JPEG decoding, torchvision's ImageFolder and a plain WebDataset.

python -m benchmarks.input [--rounds 5] [--images 512] [--quick] [--write]

Shards of 256 px (rendered photographs with a camera's texture, 30 kB each); augmented batches of 64 uint8 images of
224 and 128 px with 0, 1 and 2 loading processes. The ways take turns, round after round, in one run; a rate is images
per second, once the loader's queue has been drained. "Decoding" is libjpeg-turbo alone (simplejpeg, RGB, whole
pictures, its accurate settings) in as many processes as there are cores given: 0 and 1 loading processes are one
core. Ratios are medians over the rounds. Exit status 1: a limit was missed.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import torch

from benchmarks import input_peers
from benchmarks.sections import report_missed, table, write_section
from data_prep.allocator import keep_freed_pictures

BATCH = input_peers.BATCH
OURS, DECODING = "ours", "decoding"
PEERS = ("torchvision", "webdataset")
STEPS_PX = (224, 128)
LIMITS = {DECODING: 0.9, "torchvision": 1.5, "webdataset": 1.2}


def make_pictures(folder: Path, n_images: int) -> Path:
    """Pack `n_images` photographs at 256 px into 2 shards; the same JPEGs as files of an ImageFolder. Their shards."""
    from benchmarks.photographs import photographs
    from data_prep.build import build
    from data_prep.config_files import build_config
    from data_prep.mixture import MixtureConfig
    from train.data.readers import ShardReader

    for number, content in enumerate(photographs((800, 600), "usual", n_images)):
        path = folder / "raw" / "photos" / f"class{number % 4}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    config = build_config(MixtureConfig, {
        "name": "photos", "seed": 0, "image_px": 256, "samples_per_shard": -(-n_images // 2),
        "sources": [{"source": "photos", "domain": "photos", "reader": "class_folders", "split": "by_class",
                     "val_fraction": 0.0, "test_fraction": 0.0}],
    }, "benchmark")
    shards = Path(build(config, folder / "raw", folder / "shards", n_workers=1)).parent
    reader = ShardReader(shards, "train")
    for row in range(len(reader)):
        path = folder / "files" / reader.table.class_names[row].replace("/", "_") / f"{row}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(reader.jpeg_bytes(row))
    return shards


def our_loader(shards: Path, preset: str, image_px: int, n_workers: int, n_images: int):
    """What a training stage reads from."""
    import numpy as np

    from train.data.augmentation import build_augmentation
    from train.data.batch_loader import batch_loader
    from train.data.datasets import PlannedBatches
    from train.data.readers import ShardReader

    reader = ShardReader(shards, "train")
    plan = np.random.default_rng(0).integers(len(reader), size=(n_images // BATCH, BATCH))
    augment = build_augmentation(preset, image_px, 0.5, horizontal_flip=True)
    return batch_loader(PlannedBatches(reader, plan, 0, augment, seed=0), n_workers)


def decode_for(jpegs: list[bytes], n_images: int) -> float:
    """Seconds for decoding so many pictures, in this process."""
    from data_prep.jpeg_codec import decode_jpeg, jpeg_size

    start = time.perf_counter()
    for _, jpeg in zip(range(n_images), cycle(jpegs)):
        decode_jpeg(jpeg, jpeg_size(jpeg), 1)
    return time.perf_counter() - start


def _decoder(jpegs: list[bytes], start_line, orders) -> None:
    keep_freed_pictures()
    while (n_images := orders.recv()) > 0:
        start_line.wait()
        orders.send(decode_for(jpegs, n_images))


class Decoders:
    """Processes that decode side by side when told to."""

    def __init__(self, jpegs: list[bytes], n_processes: int) -> None:
        context = multiprocessing.get_context("fork")
        barrier, self.pipes = context.Barrier(n_processes), []
        for _ in range(n_processes):
            here, there = context.Pipe()
            context.Process(target=_decoder, args=(jpegs, barrier, there), daemon=True).start()
            self.pipes.append(here)

    def rate(self, n_images: int) -> float:
        """Images per second of all together."""
        for pipe in self.pipes:
            pipe.send(n_images)
        return sum(n_images / pipe.recv() for pipe in self.pipes)

    def close(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.send(0)


def endless(make_loader: Callable) -> Iterator:
    """Batches of one loader after the other."""
    loader = make_loader()
    while True:
        yield from loader


def loader_rate(batches: Iterator, n_workers: int, n_images: int) -> float:
    """Images per second, from a state in which the loader's queue has been drained; it is full again afterwards."""
    for _ in range(2 * n_workers + 1):
        next(batches)
    n_batches = max(1, n_images // BATCH)
    start = time.perf_counter()
    for _ in range(n_batches):
        next(batches)
    rate = n_batches * BATCH / (time.perf_counter() - start)
    time.sleep(2 * n_workers * BATCH / rate)  # its processes fill their queues again, beside nobody who is timed
    return rate


def measure(
    shards: Path, files: Path, setting: tuple[str, int], workers: tuple[int, ...], rounds: int, n_images: int
) -> dict[tuple[str, int], list[float]]:
    """(way, loading processes) -> images per second of each round. `setting`: (preset, image side in pixels)."""
    from train.data.readers import ShardReader

    reader = ShardReader(shards, "train")
    jpegs = [reader.jpeg_bytes(row) for row in range(len(reader))]
    tars = sorted(str(path) for path in (shards / "train").rglob("*.tar"))
    preset, image_px = setting
    makers = {
        OURS: partial(our_loader, shards), "torchvision": partial(input_peers.image_folder_loader, files),
        "webdataset": partial(input_peers.webdataset_loader, tars),
    }
    decoders = {n: Decoders(jpegs, n) for n in sorted({max(1, n) for n in workers})}
    loaders = {
        (way, n): endless(partial(maker, preset, image_px, n, 1_000_000)) for way, maker in makers.items()
        for n in workers
    }
    rates: dict[tuple[str, int], list[float]] = {}
    for batches in loaders.values():
        next(batches)  # processes start
    for _ in range(rounds):
        for n in workers:
            rates.setdefault((DECODING, n), []).append(decoders[max(1, n)].rate(n_images))
        for (way, n), batches in loaders.items():
            rates.setdefault((way, n), []).append(loader_rate(batches, n, n_images))
    for one in decoders.values():
        one.close()
    for batches in loaders.values():
        batches.close()
    return rates


def step_rows(jpegs: list[bytes], repeats: int = 8) -> list[list[str]]:
    """CPU microseconds of one picture in this process, step by step, the best of the repeats: what stands between ours
    and decoding alone."""
    import numpy as np

    from data_prep.jpeg_codec import decode_jpeg, jpeg_size
    from train.data.augmentation import build_augmentation
    from train.data.picture_crop import crop_box, random_crop

    def best_us(work: Callable[[int], object]) -> str:
        seconds = []
        for _ in range(repeats):
            start = time.process_time()
            for number in range(len(jpegs)):
                work(number)
            seconds.append(time.process_time() - start)
        return f"{min(seconds) / len(jpegs) * 1e6:.0f}"

    pictures = [decode_jpeg(jpeg, jpeg_size(jpeg), 1) for jpeg in jpegs]
    boxes = [crop_box(p.shape[1], p.shape[0], 0.5, np.random.default_rng(n)) for n, p in enumerate(pictures)]
    columns = []
    for px in STEPS_PX:
        crop, standard = (build_augmentation(preset, px, 0.5, horizontal_flip=True) for preset in ("crop", "standard"))
        columns.append([best_us(work) for work in (
            lambda n: decode_jpeg(jpegs[n], jpeg_size(jpegs[n]), 1),
            lambda n, px=px: random_crop(jpegs[n], px, 0.5, np.random.default_rng(n)),
            lambda n, f=crop: f(jpegs[n], n), lambda n, f=standard: f(jpegs[n], n),
            lambda n, px=px: input_peers.pillow_crop(pictures[n], boxes[n], px),
        )])
    names = ("decoding alone", "decoding and crop", "`crop`", "`standard`", "Pillow's resize of the crop alone")
    return [[name, *cells] for name, *cells in zip(names, *columns)]


def ratio(rates: dict, n_workers: int, to: str) -> float:
    """Of ours, round by round."""
    return statistics.median(
        own / theirs for own, theirs in zip(rates[OURS, n_workers], rates[to, n_workers]))


def row_of(setting: tuple[str, int], n_workers: int, rates: dict) -> list[str]:
    """One line of the table."""
    def cell(way: str) -> str:
        return f"{statistics.median(rates[way, n_workers]):.0f}" if (way, n_workers) in rates else ""

    ratios = [f"{ratio(rates, n_workers, to):.2f}" if (to, n_workers) in rates else "" for to in (DECODING, *PEERS)]
    return [setting[0], str(setting[1]), str(n_workers), cell(DECODING), cell(OURS), *map(cell, PEERS), *ratios]


def missed_limits(setting: tuple[str, int], n_workers: int, rates: dict) -> list[str]:
    """The limits that ours misses, in words."""
    return [
        f"{setting[0]}, {setting[1]} px, {n_workers} processes: {got:.2f} x {to}, at least {limit} wanted"
        for to, limit in LIMITS.items() if (got := ratio(rates, n_workers, to)) < limit
    ]


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.input", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512, help="of each way in each round")
    parser.add_argument("--photographs", type=int, default=48, help="different pictures")
    parser.add_argument("--quick", action="store_true", help="128 px, standard, 0 and 1 processes, one short round")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit was missed."""
    options = parse_arguments(arguments)
    settings = [(preset, px) for preset in ("standard", "crop") for px in (224, 128)]
    workers, rounds, n_images = (0, 1, 2), options.rounds, options.images
    if options.quick:
        settings, workers, rounds, n_images = [("standard", 128)], (0, 1), 1, 128
    from train.data.readers import ShardReader

    keep_freed_pictures()
    torch.set_num_threads(1)  # the process that takes the batches is one of the cores given
    rows, missed = [], []
    with tempfile.TemporaryDirectory() as folder:
        shards = make_pictures(Path(folder), options.photographs)
        reader = ShardReader(shards, "train")
        steps = step_rows([reader.jpeg_bytes(row) for row in range(len(reader))], 1 if options.quick else 8)
        for setting in settings:
            rates = measure(shards, Path(folder) / "files", setting, workers, rounds, n_images)
            rows += [row_of(setting, n, rates) for n in workers]
            missed += [line for n in workers for line in missed_limits(setting, n, rates)]
            print("\n".join(" ".join(row) for row in rows[-len(workers):]), flush=True)
    columns = ["augmentation", "px", "processes", "decoding, img/s", "ours", *PEERS, "ours / decoding",
               *(f"ours / {peer}" for peer in PEERS)]
    text = [*_ABOUT, "", *table(columns, rows), "", *_ABOUT_STEPS, "",
            *table(["CPU microseconds a picture", *(f"{px} px" for px in STEPS_PX)], steps)]
    print("\n" + "\n".join(text))
    if options.write:
        write_section("Input pipeline", f"python -m benchmarks.input --rounds {rounds} --write", text)
    return report_missed(missed)


_ABOUT = [
    "Shards of 256 px JPEGs of 30 kB to augmented uint8 batches of 64; all ways in turn in one run, ratios are",
    "medians over the rounds. `decoding` is libjpeg-turbo alone with its accurate settings, in as many processes as",
    "cores are given. `crop`: a crop (half the area and more) and a flip alone; `standard`: these, shift / scale /",
    "rotation (p 0.5), brightness and contrast (0.5), hue and saturation (0.3), blur (0.1), JPEG artefacts (0.2),",
    "cut-out (0.4), by albumentations. The peers do the same changes with the same chances by torchvision's v2",
    "transforms on Pillow images (ImageFolder over files; WebDataset over our shards). Limits: 0.9 of decoding, 1.5",
    "x torchvision, 1.2 x webdataset.",
]

_ABOUT_STEPS = [
    "Why 0.9 of decoding is missed: for a picture of 256 px the antialiased resize (`data_prep/shrink.py`) takes 0.6",
    "times as long as decoding, and albumentations' changes of `standard` 0.6 to 1.2 times as long as both.",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
