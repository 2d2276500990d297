"""Where finished files lie: a folder of this machine, or a URL that fsspec knows (s3://, gs://, hf://, memory:// ...).

Everything else in the project names a place by a `Location` and does not ask which of the two it is. What a person
adds is the package of the service: s3fs for s3://, gcsfs for gs://.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from data_prep.errors import ConfigError
from data_prep.files import UNFINISHED_SUFFIX, unfinished_name, writing_atomically

Location = Path | str  # a str with :// is a URL


def is_url(location: Location) -> bool:
    """Whether this is a URL, and no path of this machine."""
    return "://" in str(location)


def as_location(text: str) -> Location:
    """What a person typed: a URL stays text, anything else is a path."""
    return text.rstrip("/") if is_url(text) else Path(text)


def join(location: Location, path: str) -> Location:
    """The place `path` (forward slashes) below `location`."""
    return f"{str(location).rstrip('/')}/{path}" if is_url(location) else Path(location) / path


def open_to_read(location: Location) -> BinaryIO:
    """An open binary stream that can seek.

    Raises:
        OSError: not there, or not readable.
        ConfigError: nothing here can read this kind of URL, or the service refused.
    """
    if not is_url(location):
        return open(location, "rb")
    with _named(location):
        file_system, path = _file_system(location)
        return file_system.open(path, "rb")


def size_of(location: Location) -> int | None:
    """Bytes of the file there; None if there is none."""
    if not is_url(location):
        return Path(location).stat().st_size if Path(location).is_file() else None
    with _named(location):
        file_system, path = _file_system(location)
        return file_system.size(path) if file_system.isfile(path) else None


def list_files(location: Location, pattern: str) -> set[str]:
    """Files below `location` whose path, relative to it, matches a glob pattern such as `*/*.tar`."""
    if not is_url(location):
        return {path.relative_to(location).as_posix() for path in Path(location).glob(pattern) if path.is_file()}
    with _named(location):
        file_system, root = _file_system(location)
        root = root.rstrip("/")
        return {path[len(root) :].lstrip("/") for path in file_system.glob(f"{root}/{pattern}")}


def remove(location: Location) -> None:
    """Remove a file that may be missing."""
    if not is_url(location):
        return Path(location).unlink(missing_ok=True)
    with _named(location):
        file_system, path = _file_system(location)
        if file_system.exists(path):
            file_system.rm_file(path)


@contextmanager
def writing_whole(location: Location) -> Iterator[Path]:
    """Yield a local path to write to; when the block ends well, the file is at `location`, whole.

    On this machine: see `writing_atomically`. To a URL the file goes by way of a temporary folder of this machine
    (TMPDIR), is uploaded under a temporary name beside `location` and moved there.
    """
    if not is_url(location):
        with writing_atomically(Path(location)) as unfinished_path:
            yield unfinished_path
        return
    with tempfile.TemporaryDirectory(prefix="upload-") as folder:
        local_path = Path(folder) / "file"
        yield local_path
        with _named(location):
            file_system, path = _file_system(location)
            parent, _, name = path.rpartition("/")
            unfinished_path = f"{parent}/{unfinished_name(name)}"
            file_system.makedirs(parent, exist_ok=True)
            file_system.put_file(str(local_path), unfinished_path)
            file_system.mv(unfinished_path, path)


def remove_unfinished(shards_dir: Location, build_dir: Path) -> None:
    """Remove what processes that were killed left under temporary names."""
    for pattern in (f".*{UNFINISHED_SUFFIX}", f"*/.*{UNFINISHED_SUFFIX}"):
        for path in list_files(shards_dir, pattern):
            remove(join(shards_dir, path))
    for leftover in build_dir.rglob(f".*{UNFINISHED_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _file_system(url: Location) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(str(url))
    except (ValueError, ImportError) as error:  # no such protocol; its package is not installed
        raise ConfigError(f"{url}: {error}") from error


@contextmanager
def _named(location: Location) -> Iterator[None]:
    """Services raise exceptions of their own packages; a user meets one error with the address in it."""
    try:
        yield
    except (ConfigError, OSError):
        raise
    except Exception as error:
        raise ConfigError(f"{location}: {type(error).__name__}: {error}") from error
