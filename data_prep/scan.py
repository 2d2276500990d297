"""First step: what the data sets' own lists say is there. No image is opened."""

import sys
from pathlib import Path

import polars as pl

from data_prep.catalogue import check_catalogue, make_catalogue
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig, SourceConfig, source_of
from data_prep.sources.expected_counts import EXPECTED_COUNTS, check_counts


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
        raise ConfigError("\n".join(problems))
    return pl.concat(parts).sort("source", "path")


def _scan_source(config: SourceConfig, raw_root: Path) -> pl.DataFrame:
    source = source_of(config)
    raw_dir = source.raw_dir if config.raw_dir is None else config.raw_dir
    folder = raw_root / raw_dir
    if not folder.is_dir():
        raise ConfigError(f"{config.source}: no folder {folder}; to get it: {source.fetch}")
    rows = source.read_rows(folder)
    if config.reader is None and config.source in EXPECTED_COUNTS:
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
                f"{n_rows:,} rows" + ("" if n_classes is None else f" of {n_classes:,} classes")
                for n_rows, n_classes in (check.got, check.expected)
            )
            print(f"{source}, {check.part}: {got}; the complete data set has {complete}", file=sys.stderr)
