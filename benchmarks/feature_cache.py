"""A head on a frozen tower with cached features, beside running the tower in every epoch.

python -m benchmarks.feature_cache [--epochs 10] [--scale 0.6] [--quick] [--write]

The stage is UniFEx's (train/configs/unifex.yaml: a linear head under sub-centre ArcFace, Adam, batches of 128, an epoch
a round, each validated) on the rendered sample world at 128 px, with the quickstart's tower and, for the plain cache
alone, with a ViT-S/16 (random weights: it is asked for its time), nearer to the transformers such stages are for. With
the cache everything is counted that it costs: the features of train and val images, written and read back. The stage is
run without the cache, then with it twice, each time in an empty folder and from the same start. Exit status 1: a limit
was missed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sections import report_missed, table, write_section
from data_prep.allocator import keep_freed_memory
from train.cpu_settings import wait_without_spinning

LIMIT_TIMES, LIMIT_SCORE = 8.0, 0.005
WAYS = {  # name -> (changes to the stage, what it is beside)
    "tower in every epoch": ({}, None),
    "cached": ({"feature_cache": True}, "tower in every epoch"),
    "tower in every epoch, augmented": ({"augmentation": {"preset": "standard"}}, None),
    "4 cached views": ({"augmentation": {"preset": "standard"}, "feature_cache": {"views": 4}},
                       "tower in every epoch, augmented"),
}
QUICKSTART, TRANSFORMER = "EfficientNet-Lite0", "ViT-S/16"
TOWERS = {  # name -> backbone's config
    QUICKSTART: {"kind": "timm", "arch": "tf_efficientnet_lite0", "weights": "package:efficientnet_lite0"},
    TRANSFORMER: {"kind": "timm", "arch": "vit_small_patch16_224", "weights": None},
}


def world(folder: Path, scale: float) -> Path:
    """The sample world, packed as mixture quickstart; the folder of its shards."""
    from data_prep.build import build
    from data_prep.mixture import load_mixture
    from data_prep.sample_world import render_world

    render_world(folder / "raw", seed=0, scale=scale, n_workers=0)
    return Path(build(load_mixture("quickstart"), folder / "raw", folder / "shards")).parent


def config_of(changes: dict, epochs: int, backbone: dict, image_px: int = 128):
    """UniFEx's stage on a tower."""
    from data_prep.config_files import build_config
    from train.config import TrainConfig

    stage = {
        "name": "head", "image_px": image_px, "epochs": epochs, "batch_size": 128, "rounds": epochs,
        "optimizer": {"kind": "adam", "lr": 0.02, "weight_decay": 0.0001},
        "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
        "schedule": {"kind": "cosine", "warmup_epochs": 1, "final_scale": 0.05},
        "margin": {"kind": "arcface", "margin_rad": 0.5},
        "classifier": {"start": "new", "n_sub_centres": 3, "scale": 30}, "head_dropout": 0.2,
        "augmentation": {"preset": "none"},
    }
    return build_config(TrainConfig, {
        "name": "cache", "mixture": "quickstart", "backbone": backbone,
        "head": {"kind": "linear", "out_dim": 64}, "stages": [stage | changes],
    }, "benchmark")


def run_stage(config, shards: Path, cache_dir: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and mMP@5 on the val split, of features, training and validations of the stage."""
    import torch

    from train.data.readers import ShardReader
    from train.model.heads import set_dropout
    from train.stages.data import read_training_set
    from train.stages.lightning_loop import fit_module
    from train.stages.runner import Progress, assemble_stage
    from train.stages.start import preprocess_of, start_embedder

    stage = config.stages[0]
    torch.manual_seed(0)
    data, validation = read_training_set(shards, None), ShardReader(shards, "val")
    embedder, head_spec = start_embedder(config, stage, data.reader, cache_dir)
    set_dropout(embedder.head, stage.head_dropout)
    inputs = (data, validation, preprocess_of(embedder.backbone, stage.image_px, config.resize))
    start, cpu_start = time.perf_counter(), time.process_time()
    module, loaders = assemble_stage(config, 0, Progress(embedder, head_spec, None, ()), inputs, cache_dir, 0)
    fit_module(config, stage, module, loaders)
    seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return (*seconds, float(module.last_validation["val/mMP@5"]))


def measure(shards: Path, folder: Path, epochs: int, ways: tuple[str, ...], name: str) -> dict[str, list[tuple]]:
    """Way -> its runs on the tower of that name; those with a cache run twice, each in an empty folder."""
    runs: dict[str, list[tuple]] = {}
    for way in ways:
        changes, beside = WAYS[way]
        for number in range(1 if beside is None else 2):
            cache_dir = folder / "cache" / f"{len(runs)}-{number}"
            runs.setdefault(way, []).append(run_stage(config_of(changes, epochs, TOWERS[name]), shards, cache_dir))
            print(f"{name}, {way}: {runs[way][-1]}", flush=True)
    return runs


def rows_of(tower: str, runs: dict[str, list[tuple]]) -> list[list[str]]:
    """Lines of the table, for the runs on a tower of that name."""
    rows = []
    for way, found in runs.items():
        seconds, cpu_seconds, score = (statistics.mean(column) for column in zip(*found))
        beside = WAYS[way][1]
        times, difference = compared(runs, way) if beside else (1.0, 0.0)
        cpu_times = statistics.mean(one[1] for one in runs[beside]) / cpu_seconds if beside else 1.0
        rows.append([tower, way, f"{seconds:.1f}", f"{cpu_seconds:.1f}", f"{times:.1f}", f"{cpu_times:.1f}",
                     f"{score:.4f}", f"{difference:+.4f}"])
    return rows


def compared(runs: dict[str, list[tuple]], way: str) -> tuple[float, float]:
    """How many times as fast as what it is beside, and the difference of mMP@5."""
    theirs = runs[WAYS[way][1]]
    times = statistics.mean(one[0] for one in theirs) / statistics.mean(one[0] for one in runs[way])
    return times, statistics.mean(one[2] for one in runs[way]) - statistics.mean(one[2] for one in theirs)


def missed_limits(tower: str, runs: dict[str, list[tuple]]) -> list[str]:
    """What the plain cache misses on the tower of that name, in words."""
    times, difference = compared(runs, "cached")
    missed = [] if times >= LIMIT_TIMES else [f"{tower}: {times:.1f} times as fast, at least {LIMIT_TIMES} wanted"]
    if abs(difference) > LIMIT_SCORE:
        missed.append(f"{tower}: mMP@5 {difference:+.4f}, at most {LIMIT_SCORE} wanted")
    return missed


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feature_cache", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--scale", type=float, default=0.6, help="of the sample world")
    parser.add_argument("--quick", action="store_true", help="a small world, the quickstart's tower alone, "
                        "without the augmented ways")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    wait_without_spinning()
    every, scale = tuple(WAYS), options.scale
    ways = {QUICKSTART: every, TRANSFORMER: every[:2]}
    if options.quick:
        ways, scale = {QUICKSTART: every[:2]}, min(scale, 0.25)
    with tempfile.TemporaryDirectory() as folder:
        shards = world(Path(folder), scale)
        by_tower = {name: measure(shards, Path(folder) / f"cache-{number}", options.epochs, ways[name], name)
                    for number, name in enumerate(ways)}
    missed = [what for name, runs in by_tower.items() for what in missed_limits(name, runs)]
    columns = ["tower", "way", "seconds", "processor seconds", "times as fast", "by processor seconds", "mMP@5",
               "difference"]
    text = [*_ABOUT, "", *table(columns, [row for name, runs in by_tower.items() for row in rows_of(name, runs)])]
    print("\n" + "\n".join(text))
    if options.write:
        command = f"python -m benchmarks.feature_cache --epochs {options.epochs} --scale {options.scale} --write"
        write_section("Feature cache", command, text)
    return report_missed(missed)


_ABOUT = [
    "UniFEx's stage (`train/configs/unifex.yaml`) on the quickstart's tower and a ViT-S/16 (random weights), both at",
    "128 px, the sample world, a validation after each epoch. The seconds of the cached ways contain computing and",
    "writing the features; mean of two runs, each in an empty folder. Limits: 8 times as fast, mMP@5 within 0.005.",
    "Augmented views cost as many passes of the tower as there are views; training then draws from these in place of",
    "a new view in each epoch.",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
