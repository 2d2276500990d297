"""Archives from strangers: zip, tar and tar.gz, unpacked into one folder and nowhere else.

What an archive may hold is files and folders with relative UTF-8 names. Links, devices, encrypted members, absolute
names, `..`, two files of one name, more members or bytes than allowed: each is an error that names the member, and
nothing is left behind. Bytes are counted as they come out; what a header says about sizes is not believed.
"""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from data_prep.errors import ConfigError
from data_prep.progress import bytes_bar

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
BLOCK_BYTES = 1 << 20
MAX_HEADER_BYTES = 1 << 20  # of one tar header with its long name; PATH_MAX is 4 kB
SPARE_BYTES = 200_000_000  # left free on the disk
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, lzma.LZMAError)


class DamagedArchive(Exception):
    """An archive that is cut off or broken: fetching it again may help. The message names the member."""


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


@dataclass(frozen=True)
class _Member:
    name: str
    is_folder: bool
    content: IO[bytes] | None
    problem: str  # why it may not be here; '' for a file or a folder


def is_archive(name: str) -> bool:
    """Whether a file of this name can be unpacked.

    >>> is_archive("images_000.tar"), is_archive("train.csv")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> int:
    """Put the archive's files into `folder`, beside what is there; the number of files.

    They are unpacked into a temporary folder beside it first and moved when all of it was good. A file that is
    there already is replaced. If all names begin with one folder called like `folder`, that level is left out:
    `train/` of `train.zip` becomes `train/`, not `train/train/`.

    Raises:
        DamagedArchive: it is cut off, or a checksum is wrong.
        ConfigError: it is hostile, or over the limits. Both messages name the member.
    """
    archive, folder = Path(archive), Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{archive.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        n_files = _unpack_into(archive, unfinished, limits or Limits())
        inside = [path.name for path in unfinished.iterdir()]
        top = unfinished / folder.name if inside == [folder.name] else unfinished
        _move(top if top.is_dir() else unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return n_files


def safe_parts(name: str) -> tuple[str, ...]:
    """The parts of a member's name below the target folder; empty for the folder itself.

    Raises:
        ValueError: the name could leave the folder, or is not one that every system reads the same way.

    >>> safe_parts("./train//1.jpg")
    ('train', '1.jpg')
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("its name is not UTF-8") from None
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        raise ValueError("its name is absolute")
    if "\\" in name:
        raise ValueError("its name has a backslash, which is a separator elsewhere")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise ValueError("its name has a control character")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ValueError("its name leaves the folder")
    return parts


class _Allowance:
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


def _unpack_into(archive: Path, folder: Path, limits: Limits) -> int:
    """All members below `folder`; the number of files."""
    allowance = _Allowance(archive, limits)
    n_files, name = 0, "(its list of members)"
    try:
        with _members(archive, allowance) as members:
            for member in members:
                name = member.name
                allowance.take_member()
                if member.problem:
                    raise ValueError(member.problem)
                n_files += _write_member(member, folder, allowance)
                name = f"(after {name})"
    except _BROKEN as error:
        raise DamagedArchive(f"{archive}: member {_shown(name)}: damaged: {error}") from None
    except (ValueError, RuntimeError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{archive}: member {_shown(name)}: {reason}; nothing of it was unpacked") from None
    return n_files


def _write_member(member: _Member, folder: Path, allowance: _Allowance) -> int:
    """1 for a file, 0 for a folder."""
    parts = safe_parts(member.name)
    path = folder.joinpath(*parts)
    if member.is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return 0
    if not parts:
        raise ValueError("a file without a name")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise ValueError("two members have this name")
    with open(path, "xb") as out:
        while block := member.content.read(BLOCK_BYTES):
            allowance.take(len(block))
            out.write(block)
    return 1


@contextmanager
def _members(archive: Path, allowance: _Allowance) -> Iterator[Iterator[_Member]]:
    """The members in order, whatever the format; found by the first bytes, not by the name."""
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


def _zip_members(opened: zipfile.ZipFile, bar) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        problem = ""
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "a link, which could lead anywhere" if kind == stat.S_IFLNK else "neither a file nor a folder"
        elif info.flag_bits & 0x1:
            problem = "it is encrypted"
        name = _zip_name(info)
        if problem or info.is_dir():
            yield _Member(name, info.is_dir(), None, problem)
        else:
            with opened.open(info) as content:
                yield _Member(name, False, content, "")
        bar.update(info.compress_size)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as UTF-8 where the archive does not say what it is and the bytes are; many tools forget the flag."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


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


def _tar_members(stream: _TarStream, file: IO[bytes], allowance: _Allowance, bar) -> Iterator[_Member]:
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as opened:
        for info in opened:
            problem = ""
            if info.issym() or info.islnk():
                problem = "a link, which could lead anywhere"
            elif not (info.isreg() or info.isdir()) or info.issparse():
                problem = "neither a plain file nor a folder"
            content = opened.extractfile(info) if info.isreg() and not problem else None
            yield _Member(info.name, info.isdir(), content, problem)
            opened.members = []  # tarfile keeps every member it saw
            bar.update(file.tell() - bar.n)
        if stream.last != bytes(tarfile.BLOCKSIZE):  # tarfile itself takes any end for the end
            raise tarfile.ReadError("the archive ends without its end mark")
    while block := stream.read(BLOCK_BYTES):  # to the end of the gzip stream, where its checksum is
        allowance.take(len(block))


def _move(source: Path, target: Path) -> None:
    """Move a folder's content into another, folder by folder where both have it; by renames only."""
    if not target.exists():
        source.rename(target)
        return
    for path in source.iterdir():
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move(path, there)
        else:
            path.replace(there)


def _shown(name: str) -> str:
    """A hostile name, safe to print."""
    return ascii(name) if len(name) <= 200 else ascii(name[:200]) + "..."
