"""Fetch a known data set: `python -m data_prep.fetch met --raw-root raw --accept-terms`.

Files come from Kaggle (credentials needed, rules accepted on its web page) or from plain addresses, with resume and
checksums, and are unpacked into `<raw root>/<the source's folder>`. What is done is noted in `.fetched/` there: the
command can be interrupted at any time and goes on when it is run again. For a data set that must be asked for it
says where, and unpacks what was put there. Without --accept-terms it shows the terms and fetches nothing.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.archives import DamagedArchive, is_archive, unpack
from data_prep.download import DownloadError, Expected, Patience, download
from data_prep.errors import ConfigError, unknown_name
from data_prep.files import writing_atomically
from data_prep.kaggle_client import competition_files, connect, dataset_files
from data_prep.remote import remote_url, shown
from data_prep.sources import SOURCES
from data_prep.sources.source import MISSING_FILE, ByRequest, KaggleCompetition, KaggleDataset, RemoteFile, Source

if TYPE_CHECKING:
    from data_prep.remote import Remote

NOTES = ".fetched"  # done-markers and unfinished downloads, inside the source's folder
SAMPLE_WORLD_MARK = "sample_world.json"
ROOM_FOR_ARCHIVE = 2.0  # the archive and what comes out of it are on the disk together


@dataclass(frozen=True)
class _Item:
    """One file to fetch: where from, where to, and what is inside."""

    name: str
    into: str
    identity: str  # in the done-marker: another address or checksum is another file
    remote: "Callable[[], Remote]"
    expected: Callable[[Path], Expected]
    inner_archives: tuple[str, ...] = ()


class _Kaggle:
    """Connects when it is first needed: what is done already needs no credentials."""

    @cached_property
    def client(self) -> Any:
        return connect()


def fetch_source(
    source: Source, raw_root: Path, patience: Patience | None = None, tell: Callable[[str], None] = print
) -> dict[str, int]:
    """Make the source's raw folder complete; {"listed": images in its lists, "missing": those without a file}.

    Raises:
        ConfigError: somebody else's folder in the way, no credentials, a hostile archive, a data set that must
            be asked for, or one that came in a layout its reader does not know.
        DownloadError: a file could not be fetched.
    """
    folder = Path(raw_root) / source.raw_dir
    _refuse_others_folder(folder, source)
    if isinstance(source.fetch_plan, ByRequest):
        _unpack_what_was_brought(source, source.fetch_plan, folder, tell)
    else:
        items = _items(source)
        for number, item in enumerate(items, 1):
            _fetch_item(item, folder, patience or Patience(), lambda text, n=number: tell(f"[{n}/{len(items)}] {text}"))
    try:
        rows = source.read_rows(folder)
    except ConfigError as error:
        raise ConfigError(f"{source.title}: all was fetched, but its folder is not as expected: {error}") from error
    return {"listed": rows.height, "missing": int((rows["reject_reason"] == MISSING_FILE).sum() or 0)}


def _refuse_others_folder(folder: Path, source: Source) -> None:
    """A miniature of the sample world, or data that somebody else put there, is not mixed with the real thing."""
    if (folder / SAMPLE_WORLD_MARK).is_file():
        raise ConfigError(f"{folder}: a rendered miniature lies there; give another --raw-root")
    by_hand = isinstance(source.fetch_plan, ByRequest)
    if folder.is_dir() and not by_hand and not (folder / NOTES).is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: not empty, and not made by fetch; move it away or give another --raw-root")


def _items(source: Source) -> list[_Item]:
    plan, kaggle = source.fetch_plan, _Kaggle()
    if isinstance(plan, KaggleCompetition):
        remote = lambda: competition_files(kaggle.client, plan.name)  # noqa: E731
        identity = f"kaggle competition {plan.name}"
        return [_Item(f"{plan.name}.zip", ".", identity, remote, lambda _: Expected(), plan.inner_archives)]
    if isinstance(plan, KaggleDataset):
        remote = lambda: dataset_files(kaggle.client, plan.name)  # noqa: E731
        name = plan.name.split("/")[1]
        return [_Item(f"{name}.zip", ".", f"kaggle data set {plan.name}", remote, lambda _: Expected())]
    if plan is None:
        raise ConfigError(f"{source.key}: fetch does not know where it comes from; {source.fetch}")
    return [_url_item(file) for file in plan.files]


def _url_item(file: RemoteFile) -> _Item:
    name = shown(file.url).rsplit("/", 1)[1]
    identity = " ".join(filter(None, (shown(file.url), file.sha256, file.md5)))
    return _Item(name, file.into, identity, lambda: remote_url(file.url), lambda work: _expected(file, work))


def _expected(file: RemoteFile, work: Path) -> Expected:
    """What is published about a file; its md5 may be in a file of its own."""
    md5 = file.md5
    if file.md5_url:
        path = work / f"{shown(file.url).rsplit('/', 1)[1]}.md5"
        download(remote_url(file.md5_url), path)
        words = path.read_text(encoding="utf-8", errors="replace").split()
        path.unlink()
        if not words or not re.fullmatch(r"[0-9a-fA-F]{32}", words[0]):
            raise DownloadError(f"{shown(file.md5_url)}: expected an md5, got {' '.join(words)[:80]!a}")
        md5 = words[0]
    return Expected(file.size_bytes, file.sha256, md5)


def _fetch_item(item: _Item, folder: Path, patience: Patience, tell: Callable[[str], None]) -> None:
    work = folder / NOTES / item.into
    marker = work / f"{item.name}.done.json"
    if _is_done(marker, item, folder):
        tell(f"{item.name}: done before")
        return
    archive = work / item.name
    if not archive.is_file():  # under its final name it is whole and checked
        tell(f"{item.name}: fetching")
        room = ROOM_FOR_ARCHIVE if is_archive(item.name) else 1.0
        download(item.remote(), archive, item.expected(work), patience, room)
    n_files = 1
    if is_archive(item.name):
        tell(f"{item.name}: unpacking")
        n_files = _unpack_fetched(archive, folder / item.into)
        n_files += sum(_unpack_inner(folder / item.into / name) for name in item.inner_archives)
    else:
        (folder / item.into).mkdir(parents=True, exist_ok=True)
        archive.replace(folder / item.into / item.name)
    _note_done(marker, item.identity, n_files)
    archive.unlink(missing_ok=True)
    for stale in work.glob(f".{item.name}.*.unfinished"):  # of a process that was killed while it wrote a note
        stale.unlink()


def _note_done(marker: Path, identity: str, n_files: int) -> None:
    """Leave the marker, after everything it vouches for is on the disk itself."""
    os.sync()
    with writing_atomically(marker) as unfinished_path:
        unfinished_path.write_text(json.dumps({"file": identity, "n_files": n_files}) + "\n", encoding="utf-8")


def _is_done(marker: Path, item: _Item, folder: Path) -> bool:
    try:
        note = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    kept = folder / item.into if is_archive(item.name) else folder / item.into / item.name
    return note.get("file") == item.identity and kept.exists()


def _unpack_fetched(archive: Path, target: Path) -> int:
    try:
        return unpack(archive, target)
    except DamagedArchive as error:
        archive.unlink()
        raise DownloadError(f"{error}; it was deleted: run the command again to fetch it anew") from None


def _unpack_inner(archive: Path) -> int:
    """An archive inside an archive, into a folder of its name; 0 where the sender has unpacked it already."""
    if not archive.is_file():
        return 0
    try:
        n_files = unpack(archive, archive.with_suffix(""))
    except DamagedArchive as error:
        raise ConfigError(f"{error}; it came so inside a whole archive") from None
    archive.unlink()
    return n_files


def _unpack_what_was_brought(source: Source, plan: ByRequest, folder: Path, tell: Callable[[str], None]) -> None:
    """Unpack archives that the user has put there; they stay. Says what to do if there is nothing yet."""
    for name, into in plan.archives.items():
        marker = folder / NOTES / f"{name}.done.json"
        archive = folder / name
        if not archive.is_file():
            continue
        identity = f"{name} {archive.stat().st_size} {archive.stat().st_mtime_ns}"
        if marker.is_file() and json.loads(marker.read_text(encoding="utf-8"))["file"] == identity:
            continue
        tell(f"{name}: unpacking")
        try:
            _note_done(marker, identity, unpack(archive, folder / into))
        except DamagedArchive as error:
            raise ConfigError(f"{error}; get it again") from None
    try:
        source.read_rows(folder)
    except ConfigError as error:
        raise ConfigError(f"{_how_to_ask(source, plan, folder)}\nnow missing: {error}") from error


def _how_to_ask(source: Source, plan: ByRequest, folder: Path) -> str:
    lines = [f"{source.title} cannot be fetched by a program.", f"  get it:  {plan.ask}"]
    packed = f"; {', '.join(plan.archives)} may stay packed" if plan.archives else ""
    lines += [f"  put it:  into {folder}/{packed}", f"  then:    python -m data_prep.fetch {source.key}"]
    return "\n".join(lines)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.fetch",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SOURCE", help=f"one of: {', '.join(sorted(SOURCES))}")
    parser.add_argument("--raw-root", type=Path, default=Path("raw"), help="gets a folder for it (default: raw)")
    parser.add_argument("--accept-terms", action="store_true", help="you have read the data set's terms and agree")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch; returns the exit status."""
    options = parse_arguments(arguments)
    try:
        if options.source not in SOURCES:
            raise unknown_name("source", options.source, SOURCES, "data_prep.fetch")
        source = SOURCES[options.source]
        print(f"{source.title}\n  terms:   {source.licence}\n  read:    {source.homepage}")
        if not options.accept_terms and not isinstance(source.fetch_plan, ByRequest):
            raise ConfigError("nothing was fetched; read the terms there, then say --accept-terms")
        counts = fetch_source(source, options.raw_root)
    except (ConfigError, DownloadError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder = options.raw_root / source.raw_dir
    print(f"{folder}: {counts['listed']:,} images listed, {counts['missing']:,} without a file")
    return 0


if __name__ == "__main__":
    sys.exit(main())
