"""Keeps pictures of evaluation sets out of training: those of the mixture itself, and those that guard files list.

A guard file is a CSV or parquet table with the columns `sha256` (hex, of the raw file), `phash` (whole number, see
`perceptual_hash.py`), or both. `python -m data_prep.hash_evaluation` makes one from a build.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, reject
from data_prep.errors import ConfigError, unknown_name

GUARD_SCHEMA = {"sha256": pl.String, "phash": pl.UInt64}
SUFFIXES = (".csv", ".parquet")
LEAKED = "same picture in an evaluation split"
NO_GUARD = pl.DataFrame(schema={**GUARD_SCHEMA, "guard": pl.String})
_IS_SHA256 = pl.col("sha256").str.contains(r"^[0-9a-f]{64}$")


def evaluation_hashes(catalogue: pl.DataFrame) -> pl.DataFrame:
    """GUARD_SCHEMA, source and path of the val and test rows, packed or not, whose file could be read; sorted.

    The sha256 is that of the file, also for a box in it: whoever is guarded loses all boxes of that file.
    """
    rows = catalogue.filter(pl.col("split").is_in(["val", "test"]), pl.col("sha256").is_not_null())
    return rows.select(*GUARD_SCHEMA, "source", "path").unique(["sha256", "phash"], keep="first").sort("sha256", "path")


def read_guards(files: Sequence[str]) -> pl.DataFrame:
    """GUARD_SCHEMA of all files, and `guard`: the name of the file a hash is from.

    Raises:
        ConfigError: everything wrong with any of them.
    """
    parts, problems = [NO_GUARD], []
    for name in files:
        try:
            parts.append(_read_guard(Path(name)).with_columns(guard=pl.lit(Path(name).name)))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return pl.concat(parts)


def reject_near_leaks(catalogue: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """Turn away train and val pictures near a test picture of any source, then train pictures near a val picture.

    Args:
        near: of `near_duplicates.hash_neighbours`, for the hashes of the accepted rows.
    """
    for split, others in (("test", ["train", "val"]), ("val", ["train"])):
        protected = catalogue.filter(ACCEPTED, pl.col("split") == split).sort("source", "path")
        named = protected.select("phash", name=pl.lit(f"{split}: ") + pl.col("path"))
        catalogue = _reject_near(catalogue, named, near, pl.col("split").is_in(others))
    return catalogue


def reject_guarded(catalogue: pl.DataFrame, guard: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """Turn away train and val pictures that a guard file lists, or that are near one of its pictures.

    Test pictures stay: they may be the very ones that are guarded.

    Args:
        guard: of `read_guards`.
        near: of `near_duplicates.hash_neighbours`, for the hashes of the accepted rows and of the guard.
    """
    exposed = pl.col("split").is_in(["train", "val"])
    exact = guard.drop_nulls("sha256").unique("sha256", keep="first", maintain_order=True)
    joined = catalogue.join(exact.select("sha256", "guard"), on="sha256", how="left", maintain_order="left")
    listed = pl.col("guard").is_not_null()
    catalogue = reject(joined, listed & exposed, LEAKED, pl.lit("same bytes as in ") + pl.col("guard")).drop("guard")
    named = guard.select("phash", name=pl.lit("a picture of ") + pl.col("guard"))
    return _reject_near(catalogue, named, near, exposed)


def _reject_near(catalogue: pl.DataFrame, named: pl.DataFrame, near: pl.DataFrame, exposed: pl.Expr) -> pl.DataFrame:
    """Turn away `exposed` rows whose hash is near one of `named` (phash, name; in order of preference)."""
    first = named.drop_nulls("phash").unique("phash", keep="first", maintain_order=True)
    found = near.join(first.rename({"phash": "near_phash"}), on="near_phash").sort("phash", "bits", "near_phash")
    nearest = found.unique("phash", keep="first", maintain_order=True).select("phash", "bits", "name")
    joined = catalogue.join(nearest, on="phash", how="left", maintain_order="left")
    detail = pl.col("bits").cast(pl.String) + pl.lit(" bits from ") + pl.col("name")
    hit = pl.col("name").is_not_null() & exposed
    return reject(joined, hit, LEAKED, detail).drop("bits", "name")


def _read_guard(path: Path) -> pl.DataFrame:
    if path.suffix.lower() not in SUFFIXES:
        raise unknown_name("guard file format", path.suffix, SUFFIXES, str(path))
    if not path.is_file():
        raise ConfigError(f"leak_guard: no file {path}; to make one: python -m data_prep.hash_evaluation")
    try:
        table = pl.read_csv(path, infer_schema=False) if path.suffix.lower() == ".csv" else pl.read_parquet(path)
        known = [name for name in GUARD_SCHEMA if name in table.columns]
        hashes = table.select(pl.col(name).cast(GUARD_SCHEMA[name]) for name in known)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(
            f"leak_guard: {path} is no table of sha256 (text) and phash (whole number): {error}"
        ) from error
    if not known or hashes.is_empty():
        raise ConfigError(
            f"leak_guard: {path}: got columns {', '.join(table.columns)} and {table.height} rows, "
            "expected sha256, phash or both, and a row at least"
        )
    hashes = hashes.with_columns(pl.lit(None, dtype=GUARD_SCHEMA[n]).alias(n) for n in GUARD_SCHEMA if n not in known)
    hashes = hashes.select(*GUARD_SCHEMA).with_columns(pl.col("sha256").str.to_lowercase())
    wrong = hashes.filter(~_IS_SHA256)
    if not wrong.is_empty():
        raise ConfigError(f"leak_guard: {path}: got sha256 {wrong['sha256'][0]!r}, expected 64 hex digits")
    return hashes
