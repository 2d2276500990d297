"""Second step: open every image once, in parallel; learn its hashes and size, or why it cannot be used.

Results are kept by (path, size, time of last change) as soon as a task ends, so an interrupted or repeated
build does not decode again what it has seen. Images that will probably be packed are encoded in the same
decode (`encoded_ahead`).
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from data_prep.catalogue import ACCEPTED, CATALOGUE_SCHEMA
from data_prep.crops import Box, split_box
from data_prep.encoded_ahead import ImageSettings, picture_key, write_encoded
from data_prep.files import sha256_of_bytes
from data_prep.images import Prepared, Rejected, check_image, encoder_versions, prepare_image
from data_prep.parquet_parts import read_parts, write_part
from data_prep.sources.source import MISSING_FILE
from data_prep.workers import run_tasks, usable_cpus, worker_count

MOST_FILES_PER_TASK = 512  # what a kill can cost
FEWEST_FILES_PER_TASK = 32
TASKS_PER_WORKER = 64  # enough that all workers end at about the same time
READ_BYTES = 2 << 20  # of raw files, before the first of them is decoded
PATHS_AT_ONCE = 50_000  # held as Python objects

FOUND_COLUMNS = ("sha256", "phash", "width_px", "height_px", "reject_reason", "reject_detail")
KEY_SCHEMA = {"path": pl.String, "size_bytes": pl.Int64, "mtime_ns": pl.Int64}
CHECKED_SCHEMA = {**KEY_SCHEMA, **{name: CATALOGUE_SCHEMA[name] for name in FOUND_COLUMNS}}


@dataclass(frozen=True, eq=False)
class EncodeAhead:
    """Which images are encoded while they are checked, how, and into which folder."""

    paths: pl.Series
    image: ImageSettings
    folder: Path


@dataclass(frozen=True, eq=False)
class CheckTask:
    """Some files to open. `files` has KEY_SCHEMA's columns and `ahead`: whether to encode."""

    raw_root: str
    cache_dir: str
    image_px: int
    files: pl.DataFrame
    image: ImageSettings | None  # None: nothing is encoded
    encoded_dir: str


class _RawFile(NamedTuple):
    """What lies in a file: `content` is None where it cannot be read."""

    content: bytes | None
    sha256: str | None
    box: Box | None
    problem: str | None = None


def check_images(
    catalogue: pl.DataFrame,
    raw_root: Path,
    cache_dir: Path,
    workers: int | str = 1,
    image_px: int = 256,
    ahead: EncodeAhead | None = None,
) -> pl.DataFrame:
    """Fill sha256, phash, width_px, height_px, and the reject reason of files that cannot be used.

    Args:
        catalogue: rows in any order; those already rejected are not opened.
        cache_dir: folder for results, made for this raw root and these decoder versions in a folder of its
            own.
        workers: see `workers.run_tasks`.
        image_px: shorter side the pictures will be packed with; it decides the scale JPEGs are decoded at.
        ahead: images to encode in the same decode, to the same `image_px`; None encodes nothing.

    Returns:
        The same rows in the same order.
    """
    cache_dir = cache_dir / _cache_name(raw_root, image_px)
    listed = _list_files(raw_root, catalogue.filter(ACCEPTED)["path"].unique().sort())
    known = _read_cache(cache_dir)
    pending = listed.join(known, on=list(KEY_SCHEMA), how="anti", maintain_order="left")
    places = (str(raw_root.absolute()), str(cache_dir.absolute()), image_px)
    tasks = [CheckTask(*places, *chunk) for chunk in _chunks(pending, ahead, workers)]
    if tasks:
        run_tasks(check_files, tasks, workers, "decode check", size_of=_n_files, unit="image")
        known = _read_cache(cache_dir)
    checked = listed.join(known, on=list(KEY_SCHEMA), how="left", maintain_order="left")
    return _with_results(catalogue, checked)


def check_files(task: CheckTask) -> int:
    """Check some files, leave the results in one parquet file of the cache; returns their number."""
    found, encoded = [], {}
    how_to_encode = None if task.image is None else asdict(task.image)
    for (path, size_bytes, mtime_ns, is_ahead), raw_file in _read_files(task):
        facts, jpeg = _check_file(raw_file, task.image_px, how_to_encode if is_ahead else None)
        found.append((path, size_bytes, mtime_ns, *facts))
        if is_ahead and facts[-2] is None:
            encoded[picture_key(facts[0], path)] = jpeg
    name = sha256_of_bytes(str(task.files.rows()).encode())[:12]
    write_encoded(Path(task.encoded_dir), name, encoded.items())  # first: a known file is not opened again
    write_part(pl.DataFrame(found, schema=CHECKED_SCHEMA, orient="row"), Path(task.cache_dir) / f"{name}.parquet")
    return len(found)


def _read_files(task: CheckTask) -> Iterator[tuple[tuple, _RawFile]]:
    """The rows of `files`, each with what lies there.

    Some are read and hashed before the first of them is decoded: by the time a picture is done, the code that reads and
    hashes has left the processor's caches, and to fetch it for each file takes as long as its work.
    """
    ready, n_bytes = [], 0
    for row in task.files.iter_rows():
        ready.append((row, _read_file(f"{task.raw_root}/{row[0]}")))
        n_bytes += row[1]
        if n_bytes >= READ_BYTES:
            yield from ready
            ready, n_bytes = [], 0
    yield from ready


def _read_file(path: str) -> _RawFile:
    file, box = split_box(path)
    try:
        with open(file, "rb", buffering=0) as stream:
            content = stream.readall()
    except OSError as error:
        return _RawFile(None, None, box, str(error.strerror))
    return _RawFile(content, hashlib.sha256(content).hexdigest(), box)


def _check_file(raw_file: _RawFile, image_px: int, image: dict | None) -> tuple[tuple, bytes | None]:
    """FOUND_COLUMNS of one picture, and its JPEG bytes: None for those that are not made or are the file itself."""
    content, sha256, box, problem = raw_file
    if content is None:
        return (None, None, None, None, "unreadable file", problem), None
    found = check_image(content, image_px, box) if image is None else prepare_image(content, **image, box=box)
    if isinstance(found, Rejected):
        return (sha256, None, None, None, found.reason, found.detail), None
    facts, jpeg = (found.facts, found.jpeg) if isinstance(found, Prepared) else (found, None)
    good = (sha256, facts.phash, facts.width_px, facts.height_px, None, None)
    return good, None if jpeg == content else jpeg


def _chunks(
    pending: pl.DataFrame, ahead: EncodeAhead | None, workers: int | str
) -> Iterator[tuple[pl.DataFrame, ImageSettings | None, str]]:
    """The last fields of each CheckTask."""
    wanted = pl.lit(False) if ahead is None else pl.col("path").is_in(ahead.paths.implode())
    n_workers = worker_count(workers) if isinstance(workers, int) else usable_cpus()
    per_worker = pending.height // (n_workers * TASKS_PER_WORKER)
    files_per_task = min(max(per_worker, FEWEST_FILES_PER_TASK), MOST_FILES_PER_TASK)
    how = (None, "") if ahead is None else (ahead.image, str(ahead.folder.absolute()))
    for chunk in pending.with_columns(ahead=wanted).iter_slices(files_per_task):
        yield chunk, *how


def _n_files(task: CheckTask) -> int:
    return task.files.height


def _list_files(raw_root: Path, paths: pl.Series) -> pl.DataFrame:
    """KEY_SCHEMA's columns of the paths, with or without a box, whose file is a regular one."""
    parts = [pl.DataFrame(schema=KEY_SCHEMA)]
    for start in range(0, len(paths), PATHS_AT_ONCE):
        some = paths.slice(start, PATHS_AT_ONCE)
        files = (f"{raw_root}/{split_box(path)[0]}" for path in some)
        states = np.fromiter(map(_state_of, files), dtype=np.dtype((np.int64, 2)))
        part = pl.DataFrame({"path": some, "size_bytes": states[:, 0], "mtime_ns": states[:, 1]})
        parts.append(part.filter(pl.col("size_bytes") >= 0))
    return pl.concat(parts)


def _state_of(path: str) -> tuple[int, int]:
    """Size and time of last change; (-1, 0) for what is missing or is no file: a pipe would block for ever."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return -1, 0
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else (-1, 0)


def _cache_name(raw_root: Path, image_px: int) -> str:
    return sha256_of_bytes(f"{raw_root.resolve()} {image_px} {encoder_versions()}".encode())[:12]


def _read_cache(cache_dir: Path) -> pl.DataFrame:
    return read_parts(cache_dir, CHECKED_SCHEMA).unique(list(KEY_SCHEMA), keep="first")


def _with_results(catalogue: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Catalogue rows with the results of their path; accepted rows without a result have no file."""
    results = checked.select("path", *FOUND_COLUMNS, was_checked=pl.lit(True))
    joined = catalogue.drop("sha256", "phash", "width_px", "height_px").join(
        results, on="path", how="left", suffix="_found", maintain_order="left"
    )
    reason = pl.when("was_checked").then("reject_reason_found").otherwise(pl.lit(MISSING_FILE))
    return joined.with_columns(
        reject_detail=pl.when(ACCEPTED).then("reject_detail_found").otherwise("reject_detail"),
        reject_reason=pl.when(ACCEPTED).then(reason).otherwise("reject_reason"),
    ).select(*CATALOGUE_SCHEMA)
