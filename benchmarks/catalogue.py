"""Seconds and memory of the catalogue steps of a build, on a made-up table of the landmark set's size (GLDv2).

python -m benchmarks.catalogue                    # 4.1M rows, 203k classes
python -m benchmarks.catalogue --near-bits 4      # with near duplicates
python -m benchmarks.catalogue --faiss            # the search for near hashes beside faiss' binary index

Every step between the lists and the shards but decoding: the functions that `data_prep.build` calls, in its order, in
a process of their own whose largest memory is read at the end.
"""

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

LIMIT_S, LIMIT_GB = 60.0, 4.0
SHARE_OF_COPIES = 0.001
STEPS = (
    "check_catalogue", "reject_duplicates", "hash_neighbours", "reject_near_duplicates", "assign_splits",
    "reject_leaks", "settle_queries", "reject_small_classes", "reject_extra_classes", "reject_over_cap", "_count",
    "number_classes", "plan_shards", "write_catalogue", "write_rejects",
)


def synthetic_catalogue(n_rows: int, n_classes: int, seed: int = 0) -> pl.DataFrame:
    """A catalogue as the decode check leaves it: class sizes long-tailed, a thousandth of the files copies of others,
    another thousandth near copies (one to four bits of the perceptual hash apart)."""
    from data_prep.catalogue import make_catalogue
    from data_prep.sources.source import source_rows

    rng = np.random.default_rng(seed)
    weights = rng.lognormal(sigma=1.3, size=n_classes)
    drawn = rng.choice(n_classes, n_rows - n_classes, p=weights / weights.sum())
    classes = np.concatenate([np.arange(n_classes), drawn])
    names = [content.hex() for content in _pieces(rng.bytes(8 * n_rows), 8)]
    paths = [f"train/{name[0]}/{name[1]}/{name[2]}/{name}.jpg" for name in names]
    rows = source_rows(classes.astype(str).tolist(), paths)
    sha256 = np.array([content.hex() for content in _pieces(rng.bytes(32 * n_rows), 32)], dtype=object)
    phash = rng.integers(0, 2**64, n_rows, dtype=np.uint64)
    n_copies = int(n_rows * SHARE_OF_COPIES)
    copies, originals = rng.permutation(n_rows)[: 2 * n_copies].reshape(2, -1)
    sha256[copies], phash[copies] = sha256[originals], phash[originals]
    near, originals = rng.permutation(n_rows)[: 2 * n_copies].reshape(2, -1)
    flips = np.uint64(1) << rng.integers(0, 64, (4, n_copies), dtype=np.uint64)
    phash[near] = phash[originals] ^ np.bitwise_or.reduce(flips, axis=0)
    return make_catalogue(rows, "gldv2", "landmarks", "gldv2").with_columns(
        sha256=pl.Series(sha256.tolist(), dtype=pl.String), phash=pl.Series(phash),
        width_px=pl.lit(800, dtype=pl.Int32), height_px=pl.lit(600, dtype=pl.Int32),
    ).sort("source", "path")


def _pieces(content: bytes, length: int) -> list[bytes]:
    return [content[start : start + length] for start in range(0, len(content), length)]


def run_steps(table_path: Path, near_bits: int | None, out_dir: Path) -> dict:
    """Seconds (on the wall, of the processors) by step; largest memory in GB of this process, made for them alone."""
    from data_prep import build, selection_steps
    from data_prep.catalogue import check_catalogue
    from data_prep.config_files import build_config
    from data_prep.mixture import MixtureConfig
    from data_prep.shard_plan import Folders, ImageSettings

    source = {"source": "gldv2", "split": "by_class", "val_fraction": 0.05, "test_fraction": 0.1, "min_per_class": 3,
              "cap_per_class": 100, "max_classes": 150_000}
    settings = {"name": "gldv2", "seed": 0, "image_px": 256, "sources": [source]}
    if near_bits is not None:
        settings["near_duplicates"] = {"max_bits": near_bits, "across_classes": "report"}
    config = build_config(MixtureConfig, settings, "benchmark")
    seconds: dict[str, list[float]] = {}

    def timed(name, function):
        @functools.wraps(function)
        def wrapper(*args, **options):
            start = np.array([time.perf_counter(), time.process_time()])
            result = function(*args, **options)
            spent = np.array([time.perf_counter(), time.process_time()]) - start
            seconds[name] = (seconds.get(name, 0.0) + spent).tolist()
            return result
        return wrapper

    for name in STEPS:
        for module in (build, selection_steps):
            if hasattr(module, name):
                setattr(module, name, timed(name, getattr(module, name)))
    timed("check_catalogue", check_catalogue)(pl.read_parquet(table_path), "benchmark")
    selected, counts = build.select_images(config, pl.read_parquet(table_path), lambda table: table, out_dir)[:2]
    labels = build.number_classes(selected)
    build.plan_shards(selected, labels, ImageSettings(256, 92), 1000, 0, Folders(out_dir, out_dir))
    timed("write_catalogue", selected.write_parquet)(out_dir / "catalogue.parquet")
    build.write_rejects(selected, out_dir / "rejects.csv")
    unit = 1024**2 if sys.platform == "linux" else 1024**3  # kB there, bytes on a Mac
    return {"seconds": seconds, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
            "left": list(counts["gldv2"].items())[-1][1]}


def table_of(result: dict) -> list[str]:
    """Markdown lines: a step a row, the sum beside the limits."""
    lines = ["| step | seconds | processor seconds |", "|---|---|---|"]
    lines += [f"| {name.strip('_')} | {wall:.1f} | {cpu:.1f} |" for name, (wall, cpu) in result["seconds"].items()]
    wall, cpu = np.sum(list(result["seconds"].values()), axis=0)
    lines.append(f"| **all** | **{wall:.1f}** of {LIMIT_S:.0f} | {cpu:.1f} |")
    lines.append(f"| largest memory | {result['peak_gb']:.2f} GB of {LIMIT_GB:.0f} | |")
    return lines


def compare_with_faiss(n_hashes: int, max_bits: int) -> list[str]:
    """Markdown lines: near_pairs beside faiss' IndexBinaryHash, made exact by the same principle, on random hashes."""
    import faiss

    from data_prep.hamming import near_pairs

    hashes = np.unique(np.random.default_rng(0).integers(0, 2**64, n_hashes, dtype=np.uint64))
    start = time.perf_counter()
    near_pairs(hashes, max_bits)
    ours_s = time.perf_counter() - start
    codes = hashes.view(np.uint8).reshape(-1, 8)
    queries = min(len(codes), 100_000)
    peer_s = 0.0
    for block in range(4):
        # Four blocks of 16 bits; flips in one more block for each bit beyond the third.
        start = time.perf_counter()
        index = faiss.IndexBinaryHash(64, 16)
        index.nflip = (max_bits - block) // 4 if max_bits >= block else 0
        rolled = np.ascontiguousarray(np.roll(codes, -2 * block, axis=1))
        index.add(rolled)
        added_s = time.perf_counter() - start
        start = time.perf_counter()
        index.range_search(rolled[:queries], max_bits + 1)
        peer_s += added_s + (time.perf_counter() - start) * len(codes) / queries
    return [
        "| all pairs within | hashes | near_pairs | faiss IndexBinaryHash | ratio |", "|---|---|---|---|---|",
        f"| {max_bits} bits | {len(hashes):,} | {ours_s:.1f} s | {peer_s:.1f} s (from {queries:,} queries) "
        f"| {peer_s / ours_s:.1f} |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalogue", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_132_914, help="rows; GLDv2's train set has 4,132,914")
    parser.add_argument("--classes", type=int, default=203_094)
    parser.add_argument("--near-bits", type=int, help="switch near duplicates on, within so many bits")
    parser.add_argument("--faiss", action="store_true", help="compare the search for near hashes with faiss instead")
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)  # what the process of its own is given
    options = parser.parse_args()
    if options.faiss:
        print("\n".join(compare_with_faiss(options.rows, options.near_bits or 4)))
        return
    if options.table:
        print(json.dumps(run_steps(options.table, options.near_bits, options.table.parent)))
        return
    with tempfile.TemporaryDirectory() as folder:
        table_path = Path(folder) / "table.parquet"
        synthetic_catalogue(options.rows, options.classes).write_parquet(table_path)
        near = [] if options.near_bits is None else ["--near-bits", str(options.near_bits)]
        command = [sys.executable, "-m", "benchmarks.catalogue", "--table", str(table_path), *near]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    print("\n".join(table_of(json.loads(output.splitlines()[-1]))))


if __name__ == "__main__":
    main()
