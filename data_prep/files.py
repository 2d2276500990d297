"""Files that appear whole or not at all, and their hashes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` when the block ends well.

    The content is synced before the rename and the folder after it, so that a crash leaves either the old file or
    the new one. When the block raises, the temporary file is removed and `path` stays as it was. An OSError that
    does not name a file (a full disk does not) leaves with the name of `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished_path = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished_path
        with open(unfinished_path, "rb") as written:
            os.fsync(written.fileno())
        os.replace(unfinished_path, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        unfinished_path.unlink(missing_ok=True)


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in blocks."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """Hex digest of `content`."""
    return hashlib.sha256(content).hexdigest()
