"""Archives from strangers: zip, tar and tar.gz, unpacked into one folder and nowhere else.

What an archive may hold is files and folders with relative UTF-8 names. Links, devices, encrypted members, absolute
names, `..`, two files of one name, more members or bytes than allowed: each is an error that names the member, and
nothing is left behind. Bytes are counted as they come out; what a header says about sizes is not believed.
"""

import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from data_prep.archive_members import BLOCK_BYTES, Allowance, Limits, Member, open_members
from data_prep.errors import ConfigError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MACOS_FORKS = "__MACOSX"  # what macOS adds to a zip beside the files: no data
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, lzma.LZMAError)


class DamagedArchive(Exception):
    """An archive that is cut off or broken: fetching it again may help. The message names the member."""


def is_archive(name: str) -> bool:
    """Whether a file of this name can be unpacked.

    >>> is_archive("images_000.tar"), is_archive("train.csv")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, limits: Limits | None = None, root_has: Sequence[str] = ()) -> int:
    """Put the archive's files into `folder`, beside what is there; the number of files.

    They are unpacked into a temporary folder beside it first and moved when all of it was good. A file that is
    there already is replaced. The resource forks of macOS in `__MACOSX/` are left out. Folders around the content
    are left out too, what lies beside it keeps its path:
    - with `root_has`, those around the one folder nearest to the archive's top in which one of these glob patterns
      finds something; if there is none, or there are several at one depth, all stays as it was packed;
    - if all names begin with one folder called like `folder`: `train/` of `train.zip` becomes `train/`, not
      `train/train/`.

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
        root = _find_root(unfinished, root_has) or _same_named_root(unfinished, folder.name)
        if root != unfinished:
            _move(root, folder)
            _remove_empty_folders(root.parent, unfinished)
        _move(unfinished, folder)
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


def _unpack_into(archive: Path, folder: Path, limits: Limits) -> int:
    """All members below `folder`; the number of files."""
    allowance = Allowance(archive, limits)
    n_files, name = 0, "(its list of members)"
    try:
        with open_members(archive, allowance) as members:
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


def _write_member(member: Member, folder: Path, allowance: Allowance) -> int:
    """1 for a file, 0 for a folder and what is left out."""
    parts = safe_parts(member.name)
    if parts[:1] == (MACOS_FORKS,):
        return 0
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


def _find_root(unfinished: Path, root_has: Sequence[str]) -> Path | None:
    """The only folder, at the least depth at which there are any, in which one of the patterns finds something."""
    level = [unfinished] if root_has else []
    while level:
        fits = [folder for folder in level if any(next(folder.glob(pattern), None) for pattern in root_has)]
        if fits:
            return fits[0] if len(fits) == 1 else None
        level = [Path(entry) for folder in level for entry in os.scandir(folder) if entry.is_dir()]
    return None


def _same_named_root(unfinished: Path, name: str) -> Path:
    inside = list(unfinished.iterdir())
    return inside[0] if [path.name for path in inside] == [name] and inside[0].is_dir() else unfinished


def _remove_empty_folders(folder: Path, stop: Path) -> None:
    """Remove the folders around what was moved, from `folder` up to below `stop`, if they hold nothing else."""
    while folder != stop and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _move(source: Path, target: Path) -> None:
    """Make one folder of two, folder by folder where both have it, by renames only; `source` is gone then."""
    if not target.exists():
        source.rename(target)
        return
    for path in source.iterdir():
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move(path, there)
        else:
            path.replace(there)
    source.rmdir()


def _shown(name: str) -> str:
    """A hostile name, safe to print."""
    return ascii(name) if len(name) <= 200 else ascii(name[:200]) + "..."
