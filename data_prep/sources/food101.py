"""Food-101: web pictures of 101 dishes, the train half noisy by design.

Layout: `meta/train.txt` and `meta/test.txt` with lines `apple_pie/0000001`, without suffix, and
`images/<class>/<id>.jpg`. Both lists share all classes: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "Food-101"
FETCH = "unpack http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz (md5 85eeb15f3717b99a5da872d97d918f87) there"
FETCH_PLAN = Urls((
    RemoteFile(
        "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz", root_has=("meta",), md5="85eeb15f3717b99a5da872d97d918f87"
    ),
))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both lists, all in split 'train'.

    Raises:
        ConfigError: a missing list or folder, or a line that is not class/id.
    """
    require_folder(folder / "images", TITLE, FETCH)
    class_keys, paths = [], []
    for name in ("train", "test"):
        for line in read_lines(folder / "meta" / f"{name}.txt", TITLE, FETCH):
            class_key, found, _ = line.partition("/")
            if not found:
                raise ConfigError(f"{TITLE}: meta/{name}.txt: got {line!r}, expected class/id")
            class_keys.append(class_key)
            paths.append(f"images/{line}.jpg")
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


FOOD101 = Source(
    key="food101",
    domain="dishes",
    title=TITLE,
    licence="unclear (pictures from foodspotting.com); research, do not pass shards on",
    homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    fetch=FETCH,
    raw_dir="food-101",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
