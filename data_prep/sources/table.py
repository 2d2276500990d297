"""Any data set that is listed in one CSV or parquet table: a row an image, with its path and its class."""

from pathlib import Path

import polars as pl
from pydantic import BaseModel

from data_prep.errors import ConfigError, unknown_name
from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_file, select_columns
from data_prep.sources.source import source_rows

READERS_BY_SUFFIX = (".csv", ".parquet")


class TableOptions(BaseModel, extra="forbid", frozen=True):
    """Where the table is and what its columns are called.

    Attributes:
        file: the table, relative to the source's folder, as are the paths it lists.
        path_column: path of the image.
        class_column: the label; always read as text.
        split_column: holds train, val or test; needed for `split: official`.
        role_column: holds query, index or both for val and test; without it every val and test image is
            'both'.
        where: keep only rows whose column has this value, such as {domain: toys}.
    """

    file: str
    path_column: str = "path"
    class_column: str = "class_key"
    split_column: str | None = None
    role_column: str | None = None
    where: dict[str, str] = {}


def read_rows(folder: Path, options: TableOptions) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the table, in its order; rows without a file carry a reject reason.

    Raises:
        ConfigError: no table, a missing column (it names the columns there), a filter that keeps nothing.
    """
    table = _kept(_read_table(folder / options.file, options), options, folder / options.file)
    splits = table[options.split_column].to_list() if options.split_column else [""] * table.height
    if options.role_column:
        roles = table[options.role_column].to_list()
    else:
        roles = ["both" if split in ("val", "test") else "" for split in splits]
    keys, paths = table[options.class_column].to_list(), table[options.path_column].to_list()
    return mark_missing_files(source_rows(keys, paths, splits, roles), folder)


def _read_table(path: Path, options: TableOptions) -> pl.DataFrame:
    """The columns that the options name, all as text, nulls as ''."""
    named = [options.path_column, options.class_column, options.split_column, options.role_column]
    columns = [column for column in (*named, *options.where) if column]
    if path.suffix.lower() == ".csv":
        return read_text_csv(path, columns, "table")
    if path.suffix.lower() != ".parquet":
        raise unknown_name("table format", path.suffix, READERS_BY_SUFFIX, str(path))
    require_file(path, "table")
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(f"table: {path} is not a readable parquet file: {error}") from error
    return select_columns(table, columns, path, "table").with_columns(pl.all().cast(pl.String).fill_null(""))


def _kept(table: pl.DataFrame, options: TableOptions, path: Path) -> pl.DataFrame:
    for column, value in options.where.items():
        found = table.filter(pl.col(column) == value)
        if found.is_empty():
            raise unknown_name(f"row with {column} =", value, _some_values(table[column]), str(path))
        table = found
    return table


def _some_values(column: pl.Series, at_most: int = 20) -> list[str]:
    values = sorted(column.unique())
    return values[:at_most] + (["..."] if len(values) > at_most else [])
