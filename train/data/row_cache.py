"""Rows of numbers that take hours: kept on disk as they come, gone on with after a kill, read without loading."""

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np


def cached_rows(
    path: Path, n_rows: int, width: int, batch_size: int, batches_from: Callable[[int], Iterable[np.ndarray]]
) -> np.ndarray:
    """float32 [n_rows, width] of `path`, memory-mapped; made now where the file does not exist.

    What is not finished lies beside it as `<name>.part`: a .npy file that grows by whole batches, so that the same call
    goes on after the last one that reached the disk. A second process that wants the same rows waits for the first.

    Args:
        path: ends in .npy; its name must say all that decides the content.
        batches_from: first batch -> the rows of that batch and of all after it, in order; all batches but the last
            have `batch_size` rows.

    Raises:
        ValueError: the batches do not add up to `n_rows`.
    """
    path = Path(path)
    if not path.is_file():
        part_path = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part_path, "a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # ends with the stream, or with its process
            if path.is_file():  # made while this process waited; the stream is that very file
                part_path.unlink(missing_ok=True)
            else:
                _write_batches(stream, (n_rows, width), batch_size, batches_from)
                os.replace(part_path, path)
    return np.load(path, mmap_mode="r")


def _write_batches(
    stream: BinaryIO, shape: tuple[int, int], batch_size: int, batches_from: Callable[[int], Iterable[np.ndarray]]
) -> None:
    """Append what is missing; whatever a kill left behind the last whole batch is cut off first."""
    row_bytes = shape[1] * 4
    header_bytes = _check_header(stream, shape)
    n_done = (stream.seek(0, os.SEEK_END) - header_bytes) // row_bytes
    n_done = n_done if n_done == shape[0] else n_done // batch_size * batch_size
    stream.truncate(header_bytes + n_done * row_bytes)
    for rows in batches_from(n_done // batch_size) if n_done < shape[0] else ():
        stream.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())
        stream.flush()
        os.fsync(stream.fileno())
        n_done += len(rows)
    if n_done != shape[0]:
        raise ValueError(f"{stream.name}: {n_done} rows were made, expected {shape[0]}")


def _check_header(stream: BinaryIO, shape: tuple[int, int]) -> int:
    """Write the header of a new file; start anew where another one is there. Its length in bytes."""
    import io

    expected = io.BytesIO()
    np.lib.format.write_array_header_1_0(expected, {"descr": "<f4", "fortran_order": False, "shape": shape})
    header = expected.getvalue()
    stream.seek(0)
    if stream.read(len(header)) != header:
        stream.truncate(0)
        stream.write(header)
        stream.flush()
    return len(header)
