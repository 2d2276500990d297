"""What several data sets share: finding folders and lists, reading lists as text, noticing missing files."""

import json
import os
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
    # os.path's answer for a name that no file can have (too long, with a NUL) is no; Path's is an exception.
    missing = pl.Series((not os.path.isfile(f"{folder}/{path}") for path in rows["path"]), dtype=pl.Boolean)
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


def read_lines(path: Path, what: str, fetch: str = "") -> list[str]:
    """Lines of a text list without the white space around them; empty lines are left out.

    Raises:
        ConfigError: no such file, or it is not UTF-8.
    """
    require_file(path, what, fetch)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {path} is not a text file: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def read_path_and_label(path: Path, separator: str, what: str, fetch: str = "") -> list[tuple[str, str]]:
    """(path, label) of each line of a list without header, `<path><separator><label>`.

    Parted at the last separator: paths may hold commas and spaces, labels do not.

    Raises:
        ConfigError: no such file, or a line without the separator; the message names the line.
    """
    pairs = []
    for number, line in enumerate(read_lines(path, what, fetch), 1):
        image, found, label = line.rpartition(separator)
        if not found or not image.strip() or not label.strip():
            expected = f"a path, {separator!r}, a label"
            raise ConfigError(f"{what}: {path} entry {number}: got {line!r}, expected {expected}")
        pairs.append((image.strip(), label.strip()))
    return pairs


def read_json(path: Path, keys: Sequence[str], what: str, fetch: str = "") -> dict:
    """The object of a JSON file, with at least these keys.

    Raises:
        ConfigError: no such file, not JSON, not an object, or a missing key.
    """
    require_file(path, what, fetch)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{what}: {path} is not readable JSON: {error}") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        there = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        raise ConfigError(f"{what}: {path} has no {', '.join(map(repr, missing))}; there: {there}")
    return content


def read_coco(path: Path, what: str, fetch: str = "") -> dict[str, list[str]]:
    """{file_name: categories of its annotations, as text, in their order} of a COCO-like JSON file.

    Every listed image is there, one without annotation with an empty list.

    Raises:
        ConfigError: not such a file, or an annotation of an image that is not listed.
    """
    content = read_json(path, ("images", "annotations"), what, fetch)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    categories: dict[str, list[str]] = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        if annotation["image_id"] not in names:
            stranger = annotation["image_id"]
            raise ConfigError(f"{what}: {path}: an annotation of image {stranger!r}, which is not listed")
        categories[names[annotation["image_id"]]].append(str(annotation["category_id"]))
    return categories
