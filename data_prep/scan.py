"""First step: what the data sets' own lists say is there. No image is opened."""

import sys
from pathlib import Path

import polars as pl

from data_prep.catalogue import check_catalogue, make_catalogue
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig, SourceConfig, source_of
from data_prep.sources.expected_counts import EXPECTED_COUNTS, check_counts
from data_prep.sources.uned_lists import has_uned_lists


def scan_sources(config: MixtureConfig, raw_root: Path) -> pl.DataFrame:
    """The catalogue of all sources, sorted by source and path.

    Official splits are forgotten where the mixture divides the classes anew; roles are kept.

    Raises:
        ConfigError: everything wrong with any of the sources: missing folders, lists, columns, wrong values.
    """
    parts, problems = [], []
    for source_config in config.sources:
        try:
            parts.append(_scan_source(source_config, raw_root))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join([*problems, *_stand_ins(config, raw_root)]))
    return pl.concat(parts).sort("source", "path")


def _stand_ins(config: MixtureConfig, raw_root: Path) -> list[str]:
    """How to try the mixture before its data is there, where whole data sets are missing."""
    known = [source for source in config.sources if source.reader is None]
    gone = [one.source for one in known if not (raw_root / (one.raw_dir or source_of(one).raw_dir)).exists()]
    command = f"python -m data_prep.sample_world --out {raw_root} --sources {' '.join(gone)}"
    return [f"to try the mixture first: {command} renders small stand-ins"] if gone else []


def _scan_source(config: SourceConfig, raw_root: Path) -> pl.DataFrame:
    source = source_of(config)
    raw_dir = source.raw_dir if config.raw_dir is None else config.raw_dir
    folder = raw_root / raw_dir
    if not folder.is_dir():
        raise ConfigError(f"{config.source}: no folder {folder}; to get it: {source.fetch}")
    rows = source.read_rows(folder)
    # UnED's lists leave images out on purpose.
    if config.reader is None and config.source in EXPECTED_COUNTS and not has_uned_lists(folder):
        _say_what_is_incomplete(config.source, rows)
    if config.split == "by_class":
        rows = rows.with_columns(split=pl.lit(""))
    catalogue = make_catalogue(rows, config.source, config.domain or source.domain, raw_dir)
    check_catalogue(catalogue, f"{config.source} in {folder}")
    if catalogue.is_empty():
        raise ConfigError(f"{config.source}: {folder} lists no image")
    return catalogue


def _say_what_is_incomplete(source: str, rows: pl.DataFrame) -> None:
    """A line for each part that differs from the complete data set: a missing archive shows here, and a miniature."""
    for check in check_counts(source, rows):
        if not check.ok:
            got, complete = (
                " of ".join(
                    f"{number:,} {what}" for number, what in zip(numbers, ("rows", "classes")) if number is not None
                )
                for numbers in (check.got, check.expected)
            )
            print(f"{source}, {check.part}: {got}; the complete data set has {complete}", file=sys.stderr)
