"""Files that appear whole or not at all, and their hashes."""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITE_BYTES = 1 << 20  # at a time to large files: system calls for less take longer than a second copy of the bytes
UNFINISHED_SUFFIX = ".unfinished"  # of temporary names; what is left of them after a kill may be removed


@contextmanager
def writing_atomically(path: Path, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` when the block ends well.

    The content is synced before the rename and the folder after it, so that a crash leaves either the old file or
    the new one. When the block raises, the temporary file is removed and `path` stays as it was. An OSError that
    does not name a file (a full disk does not) leaves with the name of `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished_path = path.with_name(unfinished_name(path.name))
    try:
        yield unfinished_path
        if synced:
            _sync(unfinished_path)
        os.replace(unfinished_path, path)
        if synced:
            _sync(path.parent)
    except Exception as error:
        named = _naming(error, path)
        if named is None:
            raise
        raise named from error
    finally:
        unfinished_path.unlink(missing_ok=True)


def unfinished_name(name: str) -> str:
    """A temporary name that no other process of any machine takes."""
    return f".{name}.{uuid.uuid4().hex[:12]}{UNFINISHED_SUFFIX}"


def write_json(path: Path, content: object) -> None:
    """Write a JSON file for programs and people, atomically: two blanks a level, keys in their order."""
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in blocks."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """Hex digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def _naming(error: Exception, path: Path) -> OSError | None:
    """The system's error with number and name; None if it has a name already, or is something else."""
    number = error.errno if isinstance(error, OSError) else None
    found = re.search(r"\(os error (\d+)\)", str(error))
    if number is None and found:
        number = int(found[1])
    if number is None or getattr(error, "filename", None) is not None:
        return None
    return OSError(number, os.strerror(number), str(path))


def _sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
