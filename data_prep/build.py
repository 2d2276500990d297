"""Mixture -> shards.

python -m data_prep.build quickstart --raw-root raw --shards-root shards

Leaves `<shards root>/<mixture name>/` with `manifest.json` (last), the shards, `catalogue.parquet` (every row
with its reject reason), `rejects.csv` and `report.html`. A build that was interrupted goes on where it
stopped and leaves the same bytes; what it needs for that lies in `build/` and may be deleted afterwards. A
folder that was built with other settings is not touched: give the mixture another name, or say `--replace`.

Pictures are opened once: checked and, if they will probably be packed, encoded in the same decode. Until the shards
are written they lie in `build/` too, so a build needs twice the room of its shards. One build at a time works in a
folder; the second says who the first is.
"""

import argparse
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from data_prep.build_lock import only_build_in
from data_prep.build_settings import hash_input_files, refuse_other_settings, save_settings
from data_prep.catalogue import count_rejects, save_catalogue
from data_prep.decode_check import EncodeAhead, check_images
from data_prep.encoded_ahead import ImageSettings, encoded_folder, read_index
from data_prep.errors import ConfigError, WorkerDied
from data_prep.images import encoder_versions
from data_prep.labels import Labels, number_classes
from data_prep.manifest import MANIFEST_NAME, Manifest, ShardEntry, load_manifest, save_manifest
from data_prep.mixture import MixtureConfig, load_mixture
from data_prep.near_duplicates import write_near_duplicates
from data_prep.pair_sheet import draw_pair_sheet
from data_prep.report import print_summary, write_rejects, write_report
from data_prep.scan import scan_sources
from data_prep.selection_steps import Counts, likely_packed, select_images
from data_prep.shard_plan import Folders, ShardTask, plan_shards, with_encoded
from data_prep.shards import is_done, write_shard
from data_prep.storage import (
    Location,
    as_location,
    is_url,
    join,
    list_files,
    remove,
    remove_unfinished,
)
from data_prep.workers import prepare_for_tasks, run_tasks


def build(
    config: MixtureConfig,
    raw_root: Path,
    shards_root: Location,
    n_workers: int | str = 0,
    replace: bool = False,
    build_root: Path | None = None,
) -> Location:
    """Pack a mixture; returns the place of its manifest.

    Args:
        shards_root: a folder, or a URL that fsspec knows.
        n_workers: processes; 0 takes one for each CPU. Or the address of a Dask scheduler. The bytes do not
            depend on it.
        replace: allow the folder to hold shards of other settings; those that do not fit are removed.
        build_root: `<build_root>/<mixture name>/` keeps what an interrupted build goes on from; None puts it into
            `build/` of the shards folder (for a URL: of the working folder).

    Raises:
        ConfigError: wrong or missing raw data, nothing left of a source, a folder with other settings, or another
            build at work in it.
        WorkerDied: a worker was killed; run again.
    """
    prepare_for_tasks(n_workers)
    folders = _folders(config.name, raw_root, shards_root, build_root)
    input_files = hash_input_files(config, raw_root)
    if not replace:
        refuse_other_settings(folders, config, input_files)
    scanned = scan_sources(config, raw_root)
    with only_build_in(folders.build_dir):
        remove_unfinished(folders.shards_dir, folders.build_dir)  # of a process that was killed
        return _build(config, scanned, folders, input_files, n_workers)


def _folders(name: str, raw_root: Path, shards_root: Location, build_root: Path | None) -> Folders:
    if build_root is None and is_url(shards_root):
        build_root = Path("build")
    build_dir = None if build_root is None else build_root / name
    return Folders(raw_root, join(shards_root, name), build_dir).absolute()


def _build(
    config: MixtureConfig, scanned: pl.DataFrame, folders: Folders, input_files: dict[str, str], n_workers: int | str
) -> Location:
    """What `build` does once it is alone in the folder."""
    image = ImageSettings(config.image_px, config.jpeg_quality, config.exif_orientation == "apply")
    encoded_dir = encoded_folder(folders.build_dir, image)

    def check(catalogue: pl.DataFrame) -> pl.DataFrame:
        ahead = EncodeAhead(likely_packed(config, catalogue), image, encoded_dir)
        cache_dir = folders.build_dir / "checked"
        return check_images(catalogue, folders.raw_root, cache_dir, n_workers, config.image_px, ahead)

    catalogue, counts, near_duplicates = select_images(config, scanned, check, folders.raw_root)
    labels = number_classes(catalogue)
    tasks = plan_shards(catalogue, labels, image, config.samples_per_shard, config.seed, folders)
    tasks = with_encoded(tasks, read_index(encoded_dir))
    shards = _write_shards(tasks, config, input_files, folders, n_workers)
    with ThreadPoolExecutor(1) as beside:
        # As large as the shards, which now hold it all.
        beside.submit(shutil.rmtree, encoded_dir.parent, ignore_errors=True)
        save_catalogue(catalogue, join(folders.shards_dir, "catalogue.parquet"))
        write_rejects(catalogue, join(folders.shards_dir, "rejects.csv"))
        write_near_duplicates(near_duplicates, join(folders.shards_dir, "near_duplicates.csv"))
        manifest = _manifest(config, labels, shards, catalogue, counts, input_files)
        sheet = None if near_duplicates is None else draw_pair_sheet(near_duplicates, folders.raw_root)
        write_report(manifest, folders.shards_dir, join(folders.shards_dir, "report.html"), sheet)
        return save_manifest(manifest, folders.shards_dir)


def _write_shards(
    tasks: list[ShardTask], config: MixtureConfig, input_files: dict[str, str], folders: Folders, n_workers: int | str
) -> list[ShardEntry]:
    """Run the tasks. If anything is to change, the manifest goes first; shards of other plans go last."""
    planned = {task.path for task in tasks}
    there = list_files(folders.shards_dir, "*/*.tar")
    if there - planned or not all(is_done(task) for task in tasks):
        remove(join(folders.shards_dir, MANIFEST_NAME))
    save_settings(folders, config, input_files)
    shards = run_tasks(write_shard, tasks, n_workers, "shards", size_of=_n_samples, unit="image")
    remove_unfinished(folders.shards_dir, folders.build_dir)  # of a cluster's worker that was killed meanwhile
    for path in there - planned:
        remove(join(folders.shards_dir, path))
    return shards


def _n_samples(task: ShardTask) -> int:
    return task.samples.height


def _manifest(
    config: MixtureConfig,
    labels: Labels,
    shards: list[ShardEntry],
    catalogue: pl.DataFrame,
    counts: Counts,
    input_files: dict[str, str],
) -> Manifest:
    return Manifest(
        mixture=config.model_dump(mode="json"),
        versions=encoder_versions(),
        classes=list(labels.entries),
        shards=shards,
        repeat_to_by_source={s.source: s.repeat_to for s in config.sources if s.repeat_to is not None},
        rejects=count_rejects(catalogue),
        counts=counts,
        input_files=input_files,
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    args = _parser().parse_intermixed_args(arguments)
    try:
        config = load_mixture(args.mixture, args.overrides)
        workers = args.cluster or args.workers
        path = build(config, args.raw_root, args.shards_root, workers, args.replace, args.build_root)
        print_summary(load_manifest(join(args.shards_root, config.name)))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (WorkerDied, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.build", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mixture", help="a name in data_prep/mixtures, or the path of a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as image_px=96")
    parser.add_argument("--raw-root", type=Path, default=Path("raw"), help="folder of the raw data sets")
    parser.add_argument(
        "--shards-root",
        type=as_location,
        default=Path("shards"),
        help="where <mixture name>/ appears: a folder, or a URL that fsspec knows (s3:// needs the package s3fs, "
        "gs:// gcsfs)",
    )
    parser.add_argument(
        "--build-root",
        type=Path,
        help="where <mixture name>/ keeps what an interrupted build goes on from (default: build/ in the shards "
        "folder; for a URL, build/<mixture name>/ here)",
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 (default): one for each CPU")
    parser.add_argument(
        "--cluster",
        metavar="tcp://HOST:8786",
        help="run on a Dask cluster instead; its workers see raw root, build folder and shards under the same paths",
    )
    parser.add_argument("--replace", action="store_true", help="build over a folder with other settings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
