"""A table that grows by whole parquet files, one a finished task; a file that is damaged counts as not there."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from data_prep.files import writing_atomically


def write_part(table: pl.DataFrame, path: Path) -> None:
    """Add a file. It is not synced: a part that a loss of power cut short is made again."""
    with writing_atomically(path, synced=False) as unfinished_path:
        table.write_parquet(unfinished_path)


def read_parts(folder: Path, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """The rows of all files with these columns, files in the order of their names.

    A file that cannot be read, or has other columns (another version wrote it), is removed.
    """
    parts = [pl.DataFrame(schema=schema)]
    for path in sorted(folder.glob("*.parquet")):
        try:
            part = pl.read_parquet(path, glob=False)
        except (pl.exceptions.PolarsError, OSError):
            part = None
        if part is None or dict(part.schema) != dict(schema):
            path.unlink(missing_ok=True)
            continue
        parts.append(part)
    return pl.concat(parts)
