"""Fetch a known data set: `python -m data_prep.fetch met --raw-root raw --accept-terms`.

Files come from Kaggle (credentials needed, rules accepted on its web page) or from plain addresses, with resume and
checksums, and are unpacked into `<raw root>/<the source's folder>`. What is done is noted in `.fetched/` there: the
command can be interrupted at any time and goes on when it is run again. For a data set that must be asked for it
says where, and unpacks what was put there. Without --accept-terms it shows the terms and fetches nothing.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from data_prep.archives import DamagedArchive, is_archive, unpack
from data_prep.download import DownloadError, Patience, download
from data_prep.errors import ConfigError, unknown_name
from data_prep.fetch_items import Item, items_of
from data_prep.files import writing_atomically
from data_prep.sources import SOURCES
from data_prep.sources.generic import GENERIC_READERS
from data_prep.sources.source import MISSING_FILE, ByRequest, Packed, Source

NOTES = ".fetched"  # done-markers and unfinished downloads, inside the source's folder
SAMPLE_WORLD_MARK = "sample_world.json"
YOUR_OWN = "a folder of your own that a mixture's `reader:` reads; there is nothing to fetch"


def fetch_source(
    source: Source, raw_root: Path, patience: Patience | None = None, tell: Callable[[str], None] = print
) -> dict[str, int]:
    """Make the source's raw folder complete; {"listed": images in its lists, "missing": those without a file}.

    Raises:
        ConfigError: somebody else's folder in the way, no credentials, a hostile archive, a data set that must
            be asked for, or one that came in a layout its reader does not know.
        DownloadError: a file could not be fetched.
    """
    if source.fetch_plan is None:
        raise ConfigError(f"{source.key}: {YOUR_OWN}; {source.fetch}")
    folder = Path(raw_root) / source.raw_dir
    _refuse_others_folder(folder, source)
    if isinstance(source.fetch_plan, ByRequest):
        _unpack_what_was_brought(source, source.fetch_plan, folder, tell)
    else:
        items = items_of(source.fetch_plan)
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


def _fetch_item(item: Item, folder: Path, patience: Patience, tell: Callable[[str], None]) -> None:
    name, target = item.packed.name, folder / item.packed.into
    work = folder / NOTES / item.packed.into
    marker = work / f"{name}.done.json"
    if _is_done(marker, item, folder):
        tell(f"{name}: done before")
        return
    archive = work / name
    if not archive.is_file():  # under its final name it is whole and checked
        tell(f"{name}: fetching")
        download(item.remote(), archive, item.expected(work), patience, _room(item))
    n_files = 1
    if is_archive(name):
        tell(f"{name}: unpacking")
        n_files = _unpack_fetched(archive, target, item.packed.root_has)
        n_files += sum(_unpack_inner(target, inner) for inner in item.inner_archives)
    else:
        target.mkdir(parents=True, exist_ok=True)
        archive.replace(target / name)
    _note_done(marker, item.identity, n_files)
    archive.unlink(missing_ok=True)
    for stale in work.glob(f".{name}.*.unfinished"):  # of a process that was killed while it wrote a note
        stale.unlink()


def _room(item: Item) -> float:
    """Disk space to ask for, as a multiple of the file's size: what it becomes lies beside it until it is done."""
    return 1.0 + is_archive(item.packed.name) + bool(item.inner_archives)


def _note_done(marker: Path, identity: str, n_files: int) -> None:
    """Leave the marker, after everything it vouches for is on the disk itself."""
    os.sync()
    with writing_atomically(marker) as unfinished_path:
        unfinished_path.write_text(json.dumps({"file": identity, "n_files": n_files}) + "\n", encoding="utf-8")


def _is_done(marker: Path, item: Item, folder: Path) -> bool:
    try:
        note = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    name, target = item.packed.name, folder / item.packed.into
    kept = target if is_archive(name) else target / name
    return note.get("file") == item.identity and kept.exists()


def _unpack_fetched(archive: Path, target: Path, root_has: Sequence[str]) -> int:
    try:
        return unpack(archive, target, root_has=root_has)
    except DamagedArchive as error:
        archive.unlink()
        raise DownloadError(f"{error}; it was deleted: run the command again to fetch it anew") from None


def _unpack_inner(folder: Path, packed: Packed) -> int:
    """An archive that came in an archive; 0 where the sender has unpacked it already."""
    archive = folder / packed.name
    if not archive.is_file():
        return 0
    try:
        n_files = unpack(archive, folder / packed.into, root_has=packed.root_has)
    except DamagedArchive as error:
        raise ConfigError(f"{error}; it came so inside a whole archive") from None
    archive.unlink()
    return n_files


def _unpack_what_was_brought(source: Source, plan: ByRequest, folder: Path, tell: Callable[[str], None]) -> None:
    """Unpack archives that the user has put there; they stay. Says what to do if there is nothing yet."""
    for packed in plan.archives:
        name = packed.name
        marker, archive = folder / NOTES / f"{name}.done.json", folder / name
        if not archive.is_file():
            continue
        identity = f"{name} {archive.stat().st_size} {archive.stat().st_mtime_ns}"
        if marker.is_file() and json.loads(marker.read_text(encoding="utf-8"))["file"] == identity:
            continue
        tell(f"{name}: unpacking")
        try:
            _note_done(marker, identity, unpack(archive, folder / packed.into, root_has=packed.root_has))
        except DamagedArchive as error:
            raise ConfigError(f"{error}; get it again") from None
    try:
        source.read_rows(folder)
    except ConfigError as error:
        missing = str(error).partition("; to get it")[0]  # which is said above it already
        raise ConfigError(f"{_how_to_ask(source, plan, folder)}\nnow missing: {missing}") from error


def _how_to_ask(source: Source, plan: ByRequest, folder: Path) -> str:
    lines = [f"{source.title} cannot be fetched by a program.", f"  get it:  {plan.ask}"]
    packed = f"; {', '.join(archive.name for archive in plan.archives)} may stay packed" if plan.archives else ""
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
        if options.source in GENERIC_READERS:
            raise ConfigError(f"{options.source}: {YOUR_OWN}; put the pictures below the raw root and name its folder")
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
