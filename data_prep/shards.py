"""Accepted images -> WebDataset tar files: `<key>.jpg` + `<key>.json`, the same bytes for the same input.

A shard is one task that depends on nothing but its own description. The description's hash decides whether a
shard left by an interrupted build is still the right one.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from data_prep.images import Rejected, prepare_image
from data_prep.manifest import ClassEntry, Manifest, ShardEntry, load_manifest, save_manifest
from data_prep.shard_plan import ShardTask

__all__ = [  # the manifest is part of this module's contract, only its text lives in a file of its own
    "ClassEntry",
    "Manifest",
    "ShardEntry",
    "is_done",
    "iterate_shard",
    "load_manifest",
    "save_manifest",
    "write_shard",
]

DONE_FOLDER = "build/done"  # inside the shards folder; may be deleted when the manifest is there


def write_shard(task: ShardTask) -> ShardEntry:
    """Write one shard, or keep the one that is there if the same task wrote it and its bytes are whole.

    Raises:
        ConfigError: a raw file is gone, or is not the file the decode check has seen.
    """
    path = Path(task.shards_dir) / task.path
    task_sha256 = task.sha256()
    done = _read_done(task)
    if done is not None and done["task_sha256"] == task_sha256 and _is_whole(path, done["shard"]):
        return ShardEntry(**done["shard"])
    with writing_atomically(path) as unfinished_path, open(unfinished_path, "wb") as stream:
        _write_samples(task, stream)
    entry = ShardEntry(
        path=task.path,
        split=task.split,
        source=task.source,
        domain=task.domain,
        n_samples=task.samples.height,
        size_bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
    )
    with writing_atomically(_done_path(task)) as unfinished_path:
        unfinished_path.write_text(json.dumps({"task_sha256": task_sha256, "shard": asdict(entry)}, indent=1))
    return entry


def is_done(task: ShardTask) -> bool:
    """Whether a shard of this very task was finished and still exists (its bytes are not read)."""
    done = _read_done(task)
    return (
        done is not None
        and done["task_sha256"] == task.sha256()
        and (Path(task.shards_dir) / task.path).is_file()
    )


def iterate_shard(path: Path) -> Iterator[tuple[str, bytes, dict]]:
    """(key, JPEG bytes, JSON member) of each sample, in file order.

    Raises:
        ConfigError: the file is missing, cut short, or holds a picture without its JSON member.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            picture: tuple[str, bytes] | None = None
            for member in archive:
                key, _, suffix = member.name.partition(".")
                content = archive.extractfile(member).read()
                if suffix == "json" and picture is not None and picture[0] == key:
                    yield key, picture[1], json.loads(content)
                    picture = None
                elif suffix == "jpg" and picture is None:
                    picture = key, content
                else:
                    raise ConfigError(f"{path}: member {member.name!r} has no partner beside it")
            if picture is not None:
                raise ConfigError(f"{path}: ends after {picture[0]}.jpg, its .json is missing")
    except (OSError, tarfile.TarError, ValueError) as error:
        raise ConfigError(f"{path}: not a whole shard: {error}") from error


def _write_samples(task: ShardTask, stream: BinaryIO) -> None:
    from webdataset import TarWriter  # loads torch: only where shards are written

    with TarWriter(stream, encoder=False, mtime=0) as writer:
        for n, description in enumerate(task.samples.iter_rows(named=True), start=task.first_number):
            writer.write(
                {
                    "__key__": f"{task.source}-{n:07d}",
                    "jpg": _jpeg_of(task, description),
                    "json": json.dumps(description, ensure_ascii=False, sort_keys=True).encode("utf-8"),
                }
            )


def _jpeg_of(task: ShardTask, description: dict) -> bytes:
    path = Path(task.raw_root) / description["source_path"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: passed the decode check, cannot be read now: {error}; build again"
        ) from error
    if hashlib.sha256(content).hexdigest() != description["sha256"]:
        raise ConfigError(
            f"{path}: not the file that passed the decode check; it changed during the build, build again"
        )
    image = prepare_image(content, **asdict(task.image))
    if isinstance(image, Rejected):
        raise ConfigError(f"{path}: passed the decode check, now {image.reason}: {image.detail}")
    return image.jpeg


def _done_path(task: ShardTask) -> Path:
    return Path(task.shards_dir) / DONE_FOLDER / Path(task.path).with_suffix(".json")


def _read_done(task: ShardTask) -> dict | None:
    try:
        return json.loads(_done_path(task).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never finished, or the record is damaged: the shard is written again
        return None


def _is_whole(path: Path, entry: dict) -> bool:
    return (
        path.is_file()
        and path.stat().st_size == entry["size_bytes"]
        and sha256_of_file(path) == entry["sha256"]
    )
