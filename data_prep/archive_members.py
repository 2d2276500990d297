"""What is inside a zip, tar or tar.gz, member by member, and how much of it is believed.

The format is found by the first bytes. Members come in the archive's order, each with its content as a stream and,
where it may not be unpacked, the reason. Nothing is written here.
"""

import gzip
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from data_prep.progress import bytes_bar

BLOCK_BYTES = 1 << 20
MAX_HEADER_BYTES = 1 << 20  # of one tar header with its long name; PATH_MAX is 4 kB
SPARE_BYTES = 200_000_000  # left free on the disk


@contextmanager
def open_members(archive: Path, allowance: "Allowance") -> Iterator[Iterator["Member"]]:
    """The members in order, whatever the format.

    Raises:
        zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError: it is cut off or broken.
        ValueError: more comes out of it than is allowed.
    """
    with open(archive, "rb") as stream, bytes_bar(archive.stat().st_size, 0, f"unpacking {archive.name}") as bar:
        magic = stream.read(4)
        stream.seek(0)
        if magic[:2] == b"PK":
            with zipfile.ZipFile(stream) as opened:
                yield _zip_members(opened, bar)
        elif magic[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=stream) as unzipped:
                yield _tar_members(_TarStream(unzipped), stream, allowance, bar)
        else:
            yield _tar_members(_TarStream(stream), stream, allowance, bar)


def _zip_members(opened: zipfile.ZipFile, bar) -> Iterator["Member"]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        problem = ""
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "a link, which could lead anywhere" if kind == stat.S_IFLNK else "neither a file nor a folder"
        elif info.flag_bits & 0x1:
            problem = "it is encrypted"
        name = _zip_name(info)
        if problem or info.is_dir():
            yield Member(name, info.is_dir(), None, problem)
        else:
            with opened.open(info) as content:
                yield Member(name, False, content, "")
        bar.update(info.compress_size)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as UTF-8 where the archive does not say what it is and the bytes are; many tools forget the flag."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _tar_members(stream: "_TarStream", file: IO[bytes], allowance: "Allowance", bar) -> Iterator["Member"]:
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as opened:
        for info in opened:
            problem = ""
            if info.issym() or info.islnk():
                problem = "a link, which could lead anywhere"
            elif not (info.isreg() or info.isdir()) or info.issparse():
                problem = "neither a plain file nor a folder"
            content = opened.extractfile(info) if info.isreg() and not problem else None
            yield Member(info.name, info.isdir(), content, problem)
            opened.members = []  # tarfile keeps every member it saw
            bar.update(file.tell() - bar.n)
        if stream.last != bytes(tarfile.BLOCKSIZE):  # tarfile itself takes any end for the end
            raise tarfile.ReadError("the archive ends without its end mark")
    while block := stream.read(BLOCK_BYTES):  # to the end of the gzip stream, where its checksum is
        allowance.take(len(block))


@dataclass(frozen=True)
class Member:
    """One file or folder of an archive."""

    name: str
    is_folder: bool
    content: IO[bytes] | None
    problem: str  # why it may not be here; '' for a file or a folder


@dataclass(frozen=True)
class Limits:
    """What is still believed to be a data set and not a decompression bomb.

    Attributes:
        max_members: files and folders.
        max_bytes: all files together; None: what the disk has free.
        max_ratio: all files together over the archive's own size. Pictures hardly shrink, lists by 20 times at most.
        small_bytes: up to here the ratio does not count.
    """

    max_members: int = 10_000_000
    max_bytes: int | None = None
    max_ratio: float = 100.0
    small_bytes: int = 100_000_000


class Allowance:
    """Counts members and bytes that came out, against the limits."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        size_bytes = archive.stat().st_size
        free = shutil.disk_usage(archive.parent).free - SPARE_BYTES
        self.max_bytes = free if limits.max_bytes is None else limits.max_bytes
        self.max_bytes = min(self.max_bytes, max(limits.small_bytes, int(size_bytes * limits.max_ratio)))
        self.max_members, self.n_members, self.n_bytes = limits.max_members, 0, 0

    def take_member(self) -> None:
        self.n_members += 1
        if self.n_members > self.max_members:
            raise ValueError(f"more than {self.max_members:,} members")

    def take(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        if self.n_bytes > self.max_bytes:
            raise ValueError(
                f"more than {self.max_bytes:,} bytes come out of it: no room on the disk, or a decompression bomb"
            )


class _TarStream:
    """A stream for tarfile that refuses endless headers and remembers the last block, to know how the archive ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.last = stream, b""
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, n_bytes: int = -1) -> bytes:
        if not 0 <= n_bytes <= max(BLOCK_BYTES, MAX_HEADER_BYTES):
            raise ValueError(f"a header of {n_bytes:,} bytes")
        self.last = self.stream.read(n_bytes)
        return self.last
