"""Render miniature versions of the data sets: `python -m data_prep.sample_world --out raw`.

Without --sources, the six of the quickstart; `--sources shopee food101` renders those, `--sources all` all that
the project knows. Those beyond the six are small and hold, beside their pictures, the traps of the real sets:
files that are listed and missing, broken files, pictures in no list, repeated rows and names.

Leaves a folder for each data set in its true on-disk layout (see `data_prep/sources/`), with a
`sample_world.json` that says how it was made. The pictures depend on the seed and the scale, not on the
number of workers. A folder that holds anything else, such as the real data set, is never touched; one that
was rendered with the same settings is kept as it is, with others replaced.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data_prep.errors import ConfigError, unknown_name
from data_prep.sources import SOURCES
from data_prep.workers import WorkerDied, run_tasks

WORLD_VERSION = 1  # raise it when the pictures change
MARK = "sample_world.json"
RENDERED = ("products_10k", "stanford_products", "stanford_cars", "deepfashion_inshop", "gldv2", "met")
PHOTOS_PER_TASK = 96
Task = tuple[str, list]  # source, photos of whole items


def render_world(
    out: Path, seed: int = 0, scale: float = 1.0, n_workers: int = 0, sources: Sequence[str] = RENDERED
) -> dict[str, int]:
    """Render the data sets below `out`; {source: number of photos listed}.

    Args:
        seed: any integer from 0.
        scale: 1.0 is the quickstart's size; the number of classes grows with it.
        n_workers: processes; 0 takes one for each CPU. The bytes do not depend on it.

    Raises:
        ConfigError: an unknown source, or a folder in the way that this function did not make.
    """
    from data_prep.miniature.worlds import LAYOUTS

    for source in sources:
        if source not in LAYOUTS:
            raise unknown_name("miniature of source", source, LAYOUTS, "sample_world")
    planned = {source: LAYOUTS[source](seed, scale) for source in sources}
    marks = {source: _mark(seed, scale, data.photos) for source, data in planned.items()}
    wanted = [source for source in sources if not _is_done(out / SOURCES[source].raw_dir, marks[source])]
    unfinished = out / ".sample_world_unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    tasks = [task for source in wanted for task in _tasks(source, planned[source].photos)]
    if tasks:
        run_tasks(
            partial(draw_photos, unfinished, seed),
            tasks,
            n_workers,
            "rendering",
            lambda task: len(task[1]),
            "photo",
        )
    for source in wanted:
        raw_dir = SOURCES[source].raw_dir
        for path, content in planned[source].files.items():
            _write(unfinished / raw_dir / path, content)
        _write(unfinished / raw_dir / MARK, json.dumps(marks[source], indent=1).encode())
        shutil.rmtree(out / raw_dir, ignore_errors=True)
        (unfinished / raw_dir).rename(out / raw_dir)
    shutil.rmtree(unfinished, ignore_errors=True)
    return {source: sum(photo.listed for photo in data.photos) for source, data in planned.items()}


def draw_photos(out: Path, seed: int, task: Task) -> int:
    """Draw and write the photos of some items; returns their number."""
    from data_prep.miniature.darkroom import draw_item

    source, photos = task
    by_item: dict[int, list] = {}
    for photo in photos:
        by_item.setdefault(photo.item, []).append(photo)
    for group in by_item.values():
        for path, content in draw_item(seed, source, group).items():
            _write(out / SOURCES[source].raw_dir / path, content)
    return len(photos)


def scale_for(n_images: float, sources: Sequence[str] = RENDERED) -> float:
    """The scale at which the data sets list about `n_images` photos in all; no set gets below its least size."""
    from data_prep.miniature.worlds import count_photos

    return n_images / count_photos(sources=sources)


def _tasks(source: str, photos: list) -> list[Task]:
    """Photos by item, about PHOTOS_PER_TASK in a task: an item is designed once."""
    ordered = sorted(photos, key=lambda photo: (photo.item, photo.view, photo.path))
    tasks: list[Task] = []
    for photo in ordered:
        full = tasks and len(tasks[-1][1]) >= PHOTOS_PER_TASK and photo.item != tasks[-1][1][-1].item
        if not tasks or full:
            tasks.append((source, []))
        tasks[-1][1].append(photo)
    return tasks


def _mark(seed: int, scale: float, photos: list) -> dict[str, object]:
    return {
        "made_by": "data_prep.sample_world",
        "version": WORLD_VERSION,
        "seed": seed,
        "scale": scale,
        "n_photos": len(photos),
    }


def _is_done(folder: Path, mark: dict[str, object]) -> bool:
    """Whether the folder was rendered with these settings; False where there is none or another rendering."""
    if not folder.exists():
        return False
    if not (folder / MARK).is_file():
        raise ConfigError(
            f"{folder}: something is here that sample_world did not make (no {MARK} inside); "
            "give another --out, or move it away"
        )
    return json.loads((folder / MARK).read_text()) == mark


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text}, expected a number above 0")
    return number


def _not_negative(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"got {text}, expected a whole number from 0")
    return int(text)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.sample_world",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="raw root: gets a folder for each data set")
    parser.add_argument(
        "--sources",
        nargs="+",
        default=list(RENDERED),
        choices=[*SOURCES, "all"],
        metavar="SOURCE",
        help=f"data sets by their keys, or all; default: {' '.join(RENDERED)}",
    )
    parser.add_argument("--seed", type=_not_negative, default=0)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--scale", type=_positive, default=1.0, help="1.0 (default): the quickstart's size")
    size.add_argument("--images", type=_positive, help="about so many photos in all, in place of --scale")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one for each CPU")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render; returns the exit status."""
    options = parse_arguments(arguments)
    try:
        sources = list(SOURCES) if "all" in options.sources else list(dict.fromkeys(options.sources))
        scale = options.scale if options.images is None else scale_for(options.images, sources)
        counts = render_world(options.out, options.seed, scale, options.workers, sources)
    except (ConfigError, WorkerDied) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for source, n_photos in counts.items():
        print(f"{options.out / SOURCES[source].raw_dir}: {n_photos} photos listed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
