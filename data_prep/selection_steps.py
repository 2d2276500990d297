"""From the scanned catalogue to the images that are packed: the steps in their order, and what each of them left."""

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, count_by_source, count_rejects
from data_prep.duplicates import reject_duplicates, reject_leaks
from data_prep.errors import ConfigError
from data_prep.label_scores import label_step
from data_prep.leak_guard import read_guards, reject_guarded, reject_near_leaks
from data_prep.mixture import MixtureConfig, NearDuplicatesConfig
from data_prep.near_duplicates import DEFAULT_MAX_BITS, NO_NEIGHBOURS, hash_neighbours, reject_near_duplicates
from data_prep.selection import reject_extra_classes, reject_over_cap, reject_small_classes
from data_prep.splits import SplitRule, assign_splits, settle_queries

Counts = dict[str, dict[str, dict[str, int]]]  # {source: {step: {"images": n, "classes": n}}}
Step = Callable[[pl.DataFrame], pl.DataFrame]


def select_images(
    config: MixtureConfig, catalogue: pl.DataFrame, check: Step, raw_root: Path
) -> tuple[pl.DataFrame, Counts, pl.DataFrame | None]:
    """The catalogue after every step before the shards, what each step left of each source, and the near copies.

    The last has the columns of `near_duplicates.FOUND_SCHEMA`; None where the mixture does not ask for them.

    Args:
        catalogue: as `scan.scan_sources` returns it.
        check: the decode check.
        raw_root: where the step that looks at labels finds the pictures.
    """
    guard = read_guards(config.leak_guard or ())
    label_rules = {s.source: s.label_scores for s in config.sources if s.label_scores is not None}
    label_steps = label_step(label_rules, raw_root)
    counts: Counts = {s.source: {} for s in sorted(config.sources, key=lambda s: s.source)}
    _count(catalogue, "scan", counts)
    catalogue = check(catalogue)
    _count(catalogue, "decode check", counts)
    # Before the duplicates, so that a picture listed twice may agree with itself.
    for name, step in label_steps.items():
        catalogue = step(catalogue)
        _count(catalogue, name, counts)
    catalogue = reject_duplicates(catalogue)
    _count(catalogue, "exact duplicates", counts)
    catalogue, near, findings = _compare_looks(catalogue, guard, config.near_duplicates)
    if findings is not None:
        _count(catalogue, "near duplicates", counts)
    near_counts = config.near_duplicates is not None
    steps = {
        **_split_step(config),
        "leak guard": lambda table: _reject_all_leaks(table, guard, near, near_counts),
        "queries": settle_queries,
        **_size_steps(config),
    }
    for name, step in steps.items():
        catalogue = step(catalogue)
        _count(catalogue, name, counts)
    for source, by_step in counts.items():
        if by_step["cap per class"]["images"] == 0:
            rejects = count_rejects(catalogue.filter(pl.col("source") == source))
            raise ConfigError(f"{source}: no image left; turned away: {rejects}")
    return catalogue, counts, findings


def likely_packed(config: MixtureConfig, catalogue: pl.DataFrame) -> pl.Series:
    """Paths that would be packed if all images were good and no two the same: worth encoding in the decode check.

    A guess that is wrong costs time (a second decode, or bytes nobody asks for) and changes nothing else.
    """
    for step in (_split_step(config) | _size_steps(config)).values():
        catalogue = step(catalogue)
    return catalogue.filter(ACCEPTED)["path"].unique()


def _split_step(config: MixtureConfig) -> dict[str, Step]:
    rules = {s.source: SplitRule(s.split, s.val_fraction, s.test_fraction) for s in config.sources}
    return {"splits": lambda table: assign_splits(table, rules, config.seed)}


def _size_steps(config: MixtureConfig) -> dict[str, Step]:
    minimum = {s.source: s.min_per_class for s in config.sources}
    max_classes = {s.source: s.max_classes for s in config.sources if s.max_classes is not None}
    cap = {s.source: s.cap_per_class for s in config.sources if s.cap_per_class is not None}
    return {
        "minimum per class": lambda table: reject_small_classes(table, minimum),
        "number of classes": lambda table: reject_extra_classes(table, max_classes, config.seed),
        "cap per class": lambda table: reject_over_cap(table, cap, config.seed),
    }


def _compare_looks(
    catalogue: pl.DataFrame, guard: pl.DataFrame, settings: NearDuplicatesConfig | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]:
    """The catalogue after the step, which hashes lie near each other (searched once for all steps), what was found."""
    guarded = guard["phash"].drop_nulls()
    if settings is None and guarded.is_empty():
        return catalogue, NO_NEIGHBOURS, None
    hashes = pl.concat([catalogue.filter(ACCEPTED)["phash"], guarded])
    near = hash_neighbours(hashes, DEFAULT_MAX_BITS if settings is None else settings.max_bits)
    if settings is None:
        return catalogue, near, None
    catalogue, findings = reject_near_duplicates(catalogue, near, settings.across_classes)
    return catalogue, near, findings


def _reject_all_leaks(
    catalogue: pl.DataFrame, guard: pl.DataFrame, near: pl.DataFrame, near_counts: bool
) -> pl.DataFrame:
    """Leaks into the mixture's own evaluation splits (near ones where they count), then into the guard files."""
    catalogue = reject_leaks(catalogue)
    if near_counts:
        catalogue = reject_near_leaks(catalogue, near)
    return catalogue if guard.is_empty() else reject_guarded(catalogue, guard, near)


def _count(catalogue: pl.DataFrame, step: str, counts: Counts) -> None:
    """Note and log what a step left."""
    by_source = count_by_source(catalogue)
    for source, count in by_source.items():
        counts[source][step] = count
    n_images = sum(count["images"] for count in by_source.values())
    n_classes = sum(count["classes"] for count in by_source.values())
    print(f"{step:>18}: {n_images:>9,} images {n_classes:>9,} classes", file=sys.stderr)
