"""What several data sets share: finding folders and lists, reading lists as text, noticing missing files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.source import MISSING_FILE


def require_folder(path: Path, what: str, fetch: str = "") -> Path:
    """`path` if it is a folder; otherwise an error: what was looked for, where, and how to get it."""
    if not path.is_dir():
        raise ConfigError(f"{what}: no folder {path}" + (f"; to get it: {fetch}" if fetch else ""))
    return path


def require_file(path: Path, what: str, fetch: str = "") -> Path:
    """`path` if it is a file; otherwise an error: what was looked for, where, and how to get it."""
    if not path.is_file():
        raise ConfigError(f"{what}: no file {path}" + (f"; to get it: {fetch}" if fetch else ""))
    return path


def read_text_csv(path: Path, columns: Sequence[str], what: str) -> pl.DataFrame:
    """Named columns of a CSV file, every value as text.

    Nothing is guessed, so '0012' stays '0012' and 'None' stays 'None'; an empty cell is ''.

    Raises:
        ConfigError: no such file, not a CSV, or a missing column; the message names it and the columns there.
    """
    require_file(path, what)
    try:
        table = pl.read_csv(path, infer_schema=False).fill_null("")
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what}: {path} is not a readable CSV: {error}") from error
    return select_columns(table, columns, path, what)


def select_columns(table: pl.DataFrame, columns: Iterable[str], path: Path, what: str) -> pl.DataFrame:
    """Only `columns`, in this order; one error that names all missing ones and those there."""
    wanted = list(dict.fromkeys(columns))
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise ConfigError(
            f"{what}: {path} has no column {', '.join(map(repr, missing))}; "
            f"columns there: {', '.join(table.columns)}"
        )
    return table.select(wanted)


def mark_missing_files(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """`rows` (ROW_SCHEMA, paths relative to `folder`) with a reject reason where no such file exists."""
    missing = pl.Series([not (folder / path).is_file() for path in rows["path"]], dtype=pl.Boolean)
    hit = missing & rows["reject_reason"].is_null()
    return rows.with_columns(reject_reason=pl.when(hit).then(pl.lit(MISSING_FILE)).otherwise("reject_reason"))


def list_files(folder: Path) -> list[str]:
    """Every file below `folder`, whatever its suffix: relative paths with forward slashes, sorted.

    Names that start with a dot are left out (`.DS_Store`, `._copy.jpg`): no data set keeps pictures there.
    """
    found = (path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file())
    return sorted("/".join(parts) for parts in found if not any(part.startswith(".") for part in parts))


def find_file(folder: Path, name: str, inside: Sequence[str], what: str, fetch: str = "") -> Path:
    """The first `<folder>/<one of inside>/<name>` that exists; copies of a data set differ in the place.

    Raises:
        ConfigError: it is in none of the places; the message names them all and how to get it.
    """
    places = [folder / place / name for place in inside]
    for path in places:
        if path.is_file():
            return path
    looked = ", ".join(map(str, places))
    raise ConfigError(f"{what}: no {name}, looked for {looked}" + (f"; to get it: {fetch}" if fetch else ""))


def read_spaced_table(
    path: Path, columns: Sequence[str], what: str, lines_before_header: int = 0
) -> pl.DataFrame:
    """Named columns of a text table whose cells are parted by any run of white space, every value as text.

    Raises:
        ConfigError: no such file, not UTF-8, a missing column, or a row with more or fewer cells than the
            header.
    """
    require_file(path, what)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {path} is not a text file: {error}") from error
    numbered = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    if len(numbered) <= lines_before_header:
        raise ConfigError(f"{what}: {path} has no header line; expected {' '.join(columns)}")
    header, *rows = numbered[lines_before_header:]
    for number, cells in rows:
        if len(cells) != len(header[1]):
            raise ConfigError(
                f"{what}: {path} line {number}: got {len(cells)} cells, expected {len(header[1])} "
                f"({' '.join(header[1])})"
            )
    table = pl.DataFrame(
        [cells for _, cells in rows], schema=dict.fromkeys(header[1], pl.String), orient="row"
    )
    return select_columns(table, columns, path, what)
