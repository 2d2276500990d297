"""The one table that travels through all steps: a row an image, and why a row was turned away.

Steps fill `reject_reason`; no step deletes rows, so what is missing in the shards can always be looked up
here.
"""

from collections.abc import Sequence

import polars as pl

from data_prep.crops import CROP, MARK
from data_prep.errors import ConfigError
from data_prep.storage import Location, writing_whole

CATALOGUE_SCHEMA = {
    "source": pl.String,
    "domain": pl.String,
    "class_key": pl.String,  # names a class inside its source only; always text, ids keep their leading zeros
    "more_class_keys": pl.List(pl.String),  # other accepted labels of the same source (some landmark queries)
    "path": pl.String,  # of the file, relative to the raw root, forward slashes; with a box behind it (crops.py)
    "split": pl.String,  # 'train' | 'val' | 'test' | '' (not decided yet)
    "role": pl.String,  # 'query' | 'index' | 'both' | '' (train)
    "sha256": pl.String,  # of the raw file; null until the decode check, and for files it could not read
    "phash": pl.UInt64,  # perceptual hash (perceptual_hash.py); null until the decode check, and for flat pictures
    "width_px": pl.Int32,  # of the raw image, or of the box in it; null until the decode check
    "height_px": pl.Int32,
    "reject_reason": pl.String,  # null = accepted
    "reject_detail": pl.String,  # what exactly was wrong with this row, for rejects.csv
    "label_score": pl.Float32,  # how well the picture fits the name of class_key; null where nobody asked
    "listed_class_key": pl.String,  # what the data set said, where its label was not believed; else null
}
SPLITS = ("train", "val", "test")
ROLES = ("query", "index", "both")

ACCEPTED = pl.col("reject_reason").is_null()


def make_catalogue(rows: pl.DataFrame, source: str, domain: str, raw_dir: str) -> pl.DataFrame:
    """Rows of one source, paths relative to its folder, as catalogue rows, paths relative to the raw root."""
    prefix = "" if raw_dir in ("", ".") else raw_dir.rstrip("/") + "/"
    named = rows.with_columns(
        source=pl.lit(source), domain=pl.lit(domain), path=pl.lit(prefix) + pl.col("path")
    )
    columns = [
        (pl.col(name) if name in named.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in CATALOGUE_SCHEMA.items()
    ]
    return named.select(columns)


def reject(
    catalogue: pl.DataFrame, rows: pl.Expr, reason: str, detail: pl.Expr | str | None = None
) -> pl.DataFrame:
    """Turn away the rows for which `rows` is true, unless an earlier step did so: the first reason stays."""
    detail_value = detail if isinstance(detail, pl.Expr) else pl.lit(detail, dtype=pl.String)
    hit = ACCEPTED & rows.fill_null(False)
    return catalogue.with_columns(
        reject_detail=pl.when(hit).then(detail_value).otherwise("reject_detail"),
        reject_reason=pl.when(hit).then(pl.lit(reason)).otherwise("reject_reason"),
    )


def count_by_source(catalogue: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Accepted images and classes of each source: {source: {"images": n, "classes": n}}, sources sorted."""
    counted = catalogue.group_by("source").agg(
        images=ACCEPTED.sum(), classes=pl.col("class_key").filter(ACCEPTED).n_unique()
    )
    return {
        row["source"]: {"images": row["images"], "classes": row["classes"]} for row in _sorted_rows(counted)
    }


def count_rejects(catalogue: pl.DataFrame) -> dict[str, int]:
    """Rows by reject reason, reasons sorted."""
    counted = catalogue.filter(~ACCEPTED).group_by("reject_reason").len().sort("reject_reason")
    return dict(counted.iter_rows())


def save_catalogue(catalogue: pl.DataFrame, path: Location) -> None:
    """Write the table as parquet, with one column more: `crop`, [x0, y0, x1, y1] of the path's box or null."""
    with_boxes = catalogue["path"].str.contains(MARK, literal=True).any()
    crop = CROP if with_boxes else pl.lit(None, dtype=pl.List(pl.Int32))
    with writing_whole(path) as unfinished_path:
        catalogue.with_columns(crop=crop).write_parquet(unfinished_path)


def check_catalogue(catalogue: pl.DataFrame, where: str) -> None:
    """Raise one ConfigError that lists everything wrong with the table.

    Checked: the columns and their types, values of split and role, missing class keys and paths, absolute
    paths and those that leave the raw root (`..`), and the same path twice in one source.
    """
    problems = _wrong_columns(catalogue)
    if not problems:
        problems = [*_wrong_values(catalogue), *_duplicate_paths(catalogue)]
    if problems:
        raise ConfigError(f"{where}: {len(problems)} problem(s)\n  " + "\n  ".join(problems))


def _wrong_columns(catalogue: pl.DataFrame) -> list[str]:
    got = dict(catalogue.schema)
    problems = [f"column {name!r} is missing" for name in CATALOGUE_SCHEMA if name not in got]
    problems += [
        f"column {name!r} is not one of the catalogue's" for name in got if name not in CATALOGUE_SCHEMA
    ]
    problems += [
        f"column {name!r}: got type {got[name]}, expected {dtype}"
        for name, dtype in CATALOGUE_SCHEMA.items()
        if name in got and got[name] != dtype
    ]
    return problems


def _wrong_values(catalogue: pl.DataFrame) -> list[str]:
    problems = [
        *_rows_where(
            catalogue, ~pl.col("split").is_in(["", *SPLITS]), "split", f"one of {', '.join(SPLITS)} or empty"
        ),
        *_rows_where(
            catalogue, ~pl.col("role").is_in(["", *ROLES]), "role", f"one of {', '.join(ROLES)} or empty"
        ),
    ]
    for name in ("source", "domain", "class_key", "path"):
        problems += _rows_where(catalogue, pl.col(name).str.strip_chars() == "", name, "some text")
    problems += _rows_where(
        catalogue, pl.col("path").str.contains(r"^/|(^|/)\.\.(/|$)"), "path", "a path relative to the raw root"
    )
    return problems


def _rows_where(catalogue: pl.DataFrame, wrong: pl.Expr, column: str, expected: str) -> list[str]:
    """One line for all rows that are wrong (or null) in `column`, with the first of them as the example."""
    found = catalogue.filter(wrong | pl.col(column).is_null())
    if found.is_empty():
        return []
    first = found.row(0, named=True)
    return [
        f"{column}: {found.height} row(s) wrong, first {first['source']}: {first['path']!r}: "
        f"got {first[column]!r}, expected {expected}"
    ]


def _duplicate_paths(catalogue: pl.DataFrame) -> list[str]:
    twice = catalogue.group_by("source", "path").len().filter(pl.col("len") > 1).sort("source", "path")
    if twice.is_empty():
        return []
    source, path, n = twice.row(0)
    return [f"path: {twice.height} path(s) listed more than once, first {source}: {path!r} ({n} times)"]


def _sorted_rows(counted: pl.DataFrame) -> Sequence[dict]:
    return counted.sort("source").to_dicts()
