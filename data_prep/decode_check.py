"""Second step: open every image once, in parallel; learn its hash and size, or why it cannot be used.

Results are kept by (path, size, time of last change) as soon as a task ends, so an interrupted or repeated
build does not decode again what it has seen.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, CATALOGUE_SCHEMA
from data_prep.files import sha256_of_bytes, writing_atomically
from data_prep.images import Rejected, check_image, encoder_versions
from data_prep.sources.source import MISSING_FILE
from data_prep.workers import run_tasks

FILES_PER_TASK = 256

FOUND_COLUMNS = ("sha256", "width_px", "height_px", "reject_reason", "reject_detail")
KEY_SCHEMA = {"path": pl.String, "size_bytes": pl.Int64, "mtime_ns": pl.Int64}
CHECKED_SCHEMA = {**KEY_SCHEMA, **{name: CATALOGUE_SCHEMA[name] for name in FOUND_COLUMNS}}


@dataclass(frozen=True)
class RawFile:
    """A file and the state it was listed in."""

    path: str  # relative to the raw root
    size_bytes: int
    mtime_ns: int


def check_images(
    catalogue: pl.DataFrame, raw_root: Path, cache_dir: Path, n_workers: int = 1, image_px: int = 256
) -> pl.DataFrame:
    """Fill sha256, width_px, height_px, and the reject reason of files that cannot be used.

    Args:
        catalogue: rows in any order; those already rejected are not opened.
        cache_dir: folder for results, made for this raw root and these decoder versions in a folder of its
            own.
        image_px: shorter side the pictures will be packed with; it decides the scale JPEGs are decoded at.

    Returns:
        The same rows in the same order.
    """
    cache_dir = cache_dir / _cache_name(raw_root, image_px)
    paths = catalogue.filter(ACCEPTED)["path"].unique().sort().to_list()
    files = [file for path in paths if (file := _regular_file(raw_root, path)) is not None]
    known = _read_cache(cache_dir)
    listed = pl.DataFrame([vars(file) for file in files], schema=KEY_SCHEMA)
    pending = [RawFile(**row) for row in listed.join(known, on=list(KEY_SCHEMA), how="anti").to_dicts()]
    tasks = [pending[start : start + FILES_PER_TASK] for start in range(0, len(pending), FILES_PER_TASK)]
    if tasks:
        function = partial(check_files, raw_root=raw_root, cache_dir=cache_dir, image_px=image_px)
        run_tasks(function, tasks, n_workers, "decode check", size_of=len, unit="image")
        known = _read_cache(cache_dir)
    checked = listed.join(known, on=list(KEY_SCHEMA), how="left", maintain_order="left")
    return _with_results(catalogue, checked)


def check_files(files: Sequence[RawFile], raw_root: Path, cache_dir: Path, image_px: int) -> int:
    """Check some files and leave the results in one parquet file of `cache_dir`; returns their number."""
    found = [
        (file.path, file.size_bytes, file.mtime_ns, *_check_file(raw_root / file.path, image_px)) for file in files
    ]
    name = sha256_of_bytes("\n".join(map(str, files)).encode("utf-8", "surrogateescape"))[:24]
    with writing_atomically(cache_dir / f"{name}.parquet") as unfinished_path:
        pl.DataFrame(found, schema=CHECKED_SCHEMA, orient="row").write_parquet(unfinished_path)
    return len(files)


def _check_file(path: Path, image_px: int) -> tuple[str | None, int | None, int | None, str | None, str | None]:
    """FOUND_COLUMNS of one file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return None, None, None, "unreadable file", str(error.strerror)
    sha256 = hashlib.sha256(content).hexdigest()
    facts = check_image(content, image_px)
    if isinstance(facts, Rejected):
        return sha256, None, None, facts.reason, facts.detail
    return sha256, facts.width_px, facts.height_px, None, None


def _regular_file(raw_root: Path, path: str) -> RawFile | None:
    """None for what is missing or is no file: never opened, a pipe would block for ever."""
    try:
        state = os.stat(raw_root / path)
    except OSError:
        return None
    return RawFile(path, state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None


def _cache_name(raw_root: Path, image_px: int) -> str:
    return sha256_of_bytes(f"{raw_root.resolve()} {image_px} {encoder_versions()}".encode())[:12]


def _read_cache(cache_dir: Path) -> pl.DataFrame:
    parts = [pl.read_parquet(path) for path in sorted(cache_dir.glob("*.parquet"))]
    return pl.concat([pl.DataFrame(schema=CHECKED_SCHEMA), *parts]).unique(list(KEY_SCHEMA), keep="first")


def _with_results(catalogue: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Catalogue rows with the results of their path; accepted rows without a result have no file."""
    results = checked.select("path", *FOUND_COLUMNS, was_checked=pl.lit(True))
    joined = catalogue.drop("sha256", "width_px", "height_px").join(
        results, on="path", how="left", suffix="_found", maintain_order="left"
    )
    reason = pl.when("was_checked").then("reject_reason_found").otherwise(pl.lit(MISSING_FILE))
    return joined.with_columns(
        reject_detail=pl.when(ACCEPTED).then("reject_detail_found").otherwise("reject_detail"),
        reject_reason=pl.when(ACCEPTED).then(reason).otherwise("reject_reason"),
    ).select(*CATALOGUE_SCHEMA)
