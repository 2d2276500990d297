"""Accepted images -> WebDataset tar files: `<key>.jpg` + `<key>.json`, the same bytes for the same input.

A shard is one task that depends on nothing but its own description. The description's hash decides whether a
shard left by an interrupted build is still the right one.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

from data_prep.encoded_ahead import encoded_folder, read_encoded
from data_prep.errors import ConfigError
from data_prep.files import WRITE_BYTES, sha256_of_file, writing_atomically
from data_prep.images import Rejected, prepare_image
from data_prep.manifest import ClassEntry, Manifest, ShardEntry, load_manifest, save_manifest
from data_prep.shard_plan import ShardTask
from data_prep.storage import Location, is_url, join, open_to_read, size_of, writing_whole

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

DONE_FOLDER = "done"  # inside the build folder


def write_shard(task: ShardTask) -> ShardEntry:
    """Write one shard, or keep the one that is there if the same task wrote it and its bytes are whole.

    Raises:
        ConfigError: a raw file is gone, or is not the file the decode check has seen.
    """
    location = join(task.folders.shards_dir, task.path)
    task_sha256 = task.sha256()
    done = _read_done(task)
    if done is not None and done["task_sha256"] == task_sha256 and _is_whole(location, done["shard"]):
        return ShardEntry(**done["shard"])
    with writing_whole(location) as unfinished_path, open(unfinished_path, "wb", WRITE_BYTES) as stream:
        hashed = _HashedStream(stream)
        _write_samples(task, hashed)
    entry = ShardEntry(
        path=task.path,
        split=task.split,
        source=task.source,
        domain=task.domain,
        n_samples=task.samples.height,
        size_bytes=hashed.n_bytes,
        sha256=hashed.sha256.hexdigest(),
    )
    # Not synced: a shard whose record is lost with the power is written again.
    with writing_atomically(_done_path(task), synced=False) as unfinished_path:
        unfinished_path.write_text(json.dumps({"task_sha256": task_sha256, "shard": asdict(entry)}, indent=1))
    return entry


def is_done(task: ShardTask) -> bool:
    """Whether a shard of this very task was finished and still exists (its bytes are not read)."""
    done = _read_done(task)
    return (
        done is not None
        and done["task_sha256"] == task.sha256()
        and size_of(join(task.folders.shards_dir, task.path)) is not None
    )


def iterate_shard(path: Location) -> Iterator[tuple[str, bytes, dict]]:
    """(key, JPEG bytes, JSON member) of each sample, in file order; `path` may be a URL.

    Raises:
        ConfigError: the file is missing, cut short, or holds a picture without its JSON member.
    """
    try:
        with open_to_read(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
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
    encoded_dir = encoded_folder(task.folders.build_dir, task.image)
    places = task.encoded.iter_rows() if task.encoded.height else repeat((None,))
    rows = zip(task.samples.iter_rows(named=True), places, strict=False)
    to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
    for n, (description, place) in enumerate(rows, start=task.first_number):
        key = f"{task.source}-{n:07d}"
        stream.write(_member(f"{key}.jpg", _jpeg_of(task, description, place, encoded_dir)))
        stream.write(_member(f"{key}.json", to_json(description).encode("utf-8")))
    n_bytes = stream.tell() + 2 * tarfile.BLOCKSIZE  # two empty blocks end an archive, which fills whole records
    stream.write(bytes(2 * tarfile.BLOCKSIZE + -n_bytes % tarfile.RECORDSIZE))


def _member(name: str, content: bytes) -> bytes:
    """A member of a tar file without time and person, as WebDataset's own writer makes them.

    Its header is one of `tarfile`'s with name and size put in: making each anew took longer than all else about it.
    """
    header = bytearray(_header_of_a_member())
    header[: len(name)] = name.encode("ascii")
    header[124:135] = b"%011o" % len(content)
    header[148:156] = b" " * 8  # while it is summed up, the sum counts as blanks
    header[148:155] = b"%06o\0" % sum(header)
    return b"".join((header, content, bytes(-len(content) % tarfile.BLOCKSIZE)))


@cache
def _header_of_a_member() -> bytes:
    member = tarfile.TarInfo("")
    member.mode = 0o444
    member.uname = member.gname = "bigdata"
    return member.tobuf(tarfile.USTAR_FORMAT)


def _jpeg_of(task: ShardTask, description: dict, place: tuple, encoded_dir: Path) -> bytes:
    """The bytes that were encoded ahead; where there are none, the raw file is opened again."""
    is_packed_as_it_is = place[0] is not None and place[2] == 0
    if place[0] is not None and not is_packed_as_it_is:
        jpeg = read_encoded(encoded_dir, *place)
        if jpeg is not None:
            return jpeg
    path = task.folders.raw_root / description["source_path"]
    content = _raw_content(path, description["sha256"])
    if is_packed_as_it_is:
        return content
    image = prepare_image(content, **asdict(task.image), box=description.get("crop"))
    if isinstance(image, Rejected):
        raise ConfigError(f"{path}: passed the decode check, now {image.reason}: {image.detail}")
    return image.jpeg


def _raw_content(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: passed the decode check, cannot be read now: {error}; build again"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ConfigError(
            f"{path}: not the file that passed the decode check; it changed during the build, build again"
        )
    return content


class _HashedStream:
    """Writes on, and knows size and sha256 of what was written: a shard is not read back."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.sha256 = hashlib.sha256()
        self.n_bytes = 0

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        self.n_bytes += len(content)
        return self.stream.write(content)

    def tell(self) -> int:
        return self.n_bytes


def _done_path(task: ShardTask) -> Path:
    return task.folders.build_dir / DONE_FOLDER / Path(task.path).with_suffix(".json")


def _read_done(task: ShardTask) -> dict | None:
    try:
        return json.loads(_done_path(task).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never finished, or the record is damaged: the shard is written again
        return None


def _is_whole(location: Location, entry: dict) -> bool:
    """Size and sha256 of a local shard; of one behind a URL the size, as reading it would cost a download."""
    if size_of(location) != entry["size_bytes"]:
        return False
    return is_url(location) or sha256_of_file(Path(location)) == entry["sha256"]
