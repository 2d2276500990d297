"""Mixture -> shards: `python -m data_prep.build quickstart --raw-root raw --shards-root shards`.

Leaves `<shards root>/<mixture name>/` with `manifest.json` (last), the shards, `catalogue.parquet` (every row
with its reject reason), `rejects.csv` and `report.html`. A build that was interrupted goes on where it
stopped and leaves the same bytes; what it needs for that lies in `build/` and may be deleted afterwards. A
folder that was built with other settings is not touched: give the mixture another name, or say `--replace`.
"""

import argparse
import json
import sys
from pathlib import Path

import polars as pl

from data_prep.catalogue import count_by_source, count_rejects
from data_prep.decode_check import check_images
from data_prep.duplicates import reject_duplicates, reject_leaks
from data_prep.errors import ConfigError
from data_prep.files import writing_atomically
from data_prep.images import encoder_versions
from data_prep.label_scores import label_step
from data_prep.labels import Labels, number_classes
from data_prep.manifest import MANIFEST_NAME, Manifest, ShardEntry, load_manifest, save_manifest
from data_prep.mixture import MixtureConfig, load_mixture
from data_prep.report import print_summary, write_rejects, write_report
from data_prep.scan import scan_sources
from data_prep.selection import reject_extra_classes, reject_over_cap, reject_small_classes
from data_prep.shard_plan import ImageSettings, ShardTask, plan_shards
from data_prep.shards import is_done, write_shard
from data_prep.splits import SplitRule, assign_splits, settle_queries
from data_prep.workers import WorkerDied, run_tasks

SETTINGS_NAME = "build/settings.json"  # whose shards lie here, while there is no manifest yet

Counts = dict[str, dict[str, dict[str, int]]]  # {source: {step: {"images": n, "classes": n}}}


def build(
    config: MixtureConfig, raw_root: Path, shards_root: Path, n_workers: int = 0, replace: bool = False
) -> Path:
    """Pack a mixture; returns the path of its manifest.

    Args:
        n_workers: processes; 0 takes one for each CPU. The bytes do not depend on it.
        replace: allow the folder to hold shards of other settings; those that do not fit are removed.

    Raises:
        ConfigError: wrong or missing raw data, nothing left of a source, or a folder with other settings.
        WorkerDied: a worker was killed; run again.
    """
    shards_dir = shards_root / config.name
    if not replace:
        _refuse_other_settings(shards_dir, config)
    catalogue, counts = select_images(config, raw_root, shards_dir / "build" / "checked", n_workers)
    labels = number_classes(catalogue)
    image = ImageSettings(config.image_px, config.jpeg_quality, config.exif_orientation == "apply")
    folders = (raw_root, shards_dir)
    tasks = plan_shards(catalogue, labels, image, config.samples_per_shard, config.seed, folders)
    shards = _write_shards(tasks, config, shards_dir, n_workers)
    with writing_atomically(shards_dir / "catalogue.parquet") as unfinished_path:
        catalogue.write_parquet(unfinished_path)
    write_rejects(catalogue, shards_dir / "rejects.csv")
    manifest = _manifest(config, labels, shards, catalogue, counts)
    write_report(manifest, shards_dir, shards_dir / "report.html")
    return save_manifest(manifest, shards_dir)


def select_images(
    config: MixtureConfig, raw_root: Path, cache_dir: Path, n_workers: int
) -> tuple[pl.DataFrame, Counts]:
    """The catalogue after every step before the shards, and what each step left of each source."""
    rules = {s.source: SplitRule(s.split, s.val_fraction, s.test_fraction) for s in config.sources}
    minimum = {s.source: s.min_per_class for s in config.sources}
    max_classes = {s.source: s.max_classes for s in config.sources if s.max_classes is not None}
    cap = {s.source: s.cap_per_class for s in config.sources if s.cap_per_class is not None}
    label_rules = {s.source: s.label_scores for s in config.sources if s.label_scores is not None}
    steps = {
        "decode check": lambda table: check_images(table, raw_root, cache_dir, n_workers, config.image_px),
        **label_step(label_rules, raw_root),  # first, so that a picture listed twice may agree with itself
        "exact duplicates": reject_duplicates,
        "splits": lambda table: assign_splits(table, rules, config.seed),
        "leak guard": reject_leaks,
        "queries": settle_queries,
        "minimum per class": lambda table: reject_small_classes(table, minimum),
        "number of classes": lambda table: reject_extra_classes(table, max_classes, config.seed),
        "cap per class": lambda table: reject_over_cap(table, cap, config.seed),
    }
    catalogue = scan_sources(config, raw_root)
    counts: Counts = {s.source: {} for s in sorted(config.sources, key=lambda s: s.source)}
    _count(catalogue, "scan", counts)
    for name, step in steps.items():
        catalogue = step(catalogue)
        _count(catalogue, name, counts)
    for source, by_step in counts.items():
        if by_step["cap per class"]["images"] == 0:
            rejects = count_rejects(catalogue.filter(pl.col("source") == source))
            raise ConfigError(f"{source}: no image left; turned away: {rejects}")
    return catalogue, counts


def _count(catalogue: pl.DataFrame, step: str, counts: Counts) -> None:
    """Note and log what a step left."""
    by_source = count_by_source(catalogue)
    for source, count in by_source.items():
        counts[source][step] = count
    n_images = sum(count["images"] for count in by_source.values())
    n_classes = sum(count["classes"] for count in by_source.values())
    print(f"{step:>18}: {n_images:>9,} images {n_classes:>9,} classes", file=sys.stderr)


def _refuse_other_settings(shards_dir: Path, config: MixtureConfig) -> None:
    """Raise ConfigError if the folder holds shards, finished or not, of other settings."""
    theirs = _settings_there(shards_dir)
    different = [] if theirs is None else _different_keys(theirs, config.model_dump(mode="json"))
    if different:
        raise ConfigError(
            f"{shards_dir}: built with other settings ({'; '.join(different)}); give the mixture another "
            "name, delete the folder, or say --replace"
        )


def _settings_there(shards_dir: Path) -> dict | None:
    path = shards_dir / SETTINGS_NAME
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if (shards_dir / MANIFEST_NAME).is_file():
        return load_manifest(shards_dir).mixture
    return None


def _different_keys(theirs: object, ours: object, where: str = "") -> list[str]:
    """`image_px: 160 there, 224 asked for` for each value that differs."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = sorted(theirs.keys() | ours.keys())
        pairs = [(theirs.get(key), ours.get(key), f"{where}.{key}".lstrip(".")) for key in keys]
        return [line for pair in pairs for line in _different_keys(*pair)]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(theirs[n], ours[n], f"{where}.{n}") for n in range(len(ours))]
        return [line for pair in pairs for line in _different_keys(*pair)]
    return [] if theirs == ours else [f"{where}: {theirs!r} there, {ours!r} asked for"]


def _write_shards(
    tasks: list[ShardTask], config: MixtureConfig, shards_dir: Path, n_workers: int
) -> list[ShardEntry]:
    """Run the tasks. If anything is to change, the manifest goes first; shards of other plans go last."""
    planned = {task.path for task in tasks}
    there = {path.relative_to(shards_dir).as_posix() for path in shards_dir.glob("*/*.tar")}
    if there - planned or not all(is_done(task) for task in tasks):
        (shards_dir / MANIFEST_NAME).unlink(missing_ok=True)
    for leftover in shards_dir.rglob(".*.unfinished"):  # of a process that was killed
        leftover.unlink()
    with writing_atomically(shards_dir / SETTINGS_NAME) as unfinished_path:
        unfinished_path.write_text(json.dumps(config.model_dump(mode="json"), indent=1), encoding="utf-8")
    shards = run_tasks(write_shard, tasks, n_workers, "shards", size_of=_n_samples, unit="image")
    for path in there - planned:
        (shards_dir / path).unlink()
    return shards


def _n_samples(task: ShardTask) -> int:
    return task.samples.height


def _manifest(
    config: MixtureConfig, labels: Labels, shards: list[ShardEntry], catalogue: pl.DataFrame, counts: Counts
) -> Manifest:
    return Manifest(
        mixture=config.model_dump(mode="json"),
        versions=encoder_versions(),
        classes=list(labels.entries),
        shards=shards,
        repeat_to_by_source={s.source: s.repeat_to for s in config.sources if s.repeat_to is not None},
        rejects=count_rejects(catalogue),
        counts=counts,
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.build", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("mixture", help="a name in data_prep/mixtures, or the path of a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as image_px=96")
    parser.add_argument("--raw-root", type=Path, default=Path("raw"), help="folder of the raw data sets")
    parser.add_argument(
        "--shards-root", type=Path, default=Path("shards"), help="where <mixture name>/ appears"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 (default): one for each CPU")
    parser.add_argument("--replace", action="store_true", help="build over a folder with other settings")
    args = parser.parse_intermixed_args(arguments)
    try:
        config = load_mixture(args.mixture, args.overrides)
        path = build(config, args.raw_root, args.shards_root, args.workers, args.replace)
        print_summary(load_manifest(path.parent))
    except (ConfigError, WorkerDied, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
