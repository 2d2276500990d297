"""DAF:re: drawings of 3,263 anime characters, cut to the face or whole.

Layout: `labels/{train,val,test}.csv`, without header, `<class number>,<path>`, and the pictures in `faces/`
(dafre_faces.tar.gz) or `fullMin256/` (dafre_full.tar.gz); faces are used when both are there. The lists share
all characters: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines
from data_prep.sources.source import ByRequest, Packed, Source, source_rows

TITLE = "DAF:re"
FETCH = (
    "dafre_faces.tar.gz (or dafre_full.tar.gz) and labels.tar.gz by the Drive link of "
    "https://github.com/arkel23/Danbooru2018AnimeCharacterRecognitionDataset_Revamped: faces/ (or fullMin256/) and "
    "labels/ go there"
)
FETCH_PLAN = ByRequest(FETCH, (
    Packed("labels.tar.gz", "labels", root_has=("train.csv",)),
    Packed("dafre_faces.tar.gz", "faces", root_has=("*/*.jpg", "*/*.png")),
    Packed("dafre_full.tar.gz", "fullMin256", root_has=("*/*.jpg", "*/*.png")),
))
PICTURE_FOLDERS = ("faces", "fullMin256")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the three lists, all in split 'train'; the class is the character's number.

    Raises:
        ConfigError: a missing list, neither folder of pictures, or a line that does not begin with a number.
    """
    pictures = next((name for name in PICTURE_FOLDERS if (folder / name).is_dir()), None)
    if pictures is None:
        raise ConfigError(f"{TITLE}: neither {' nor '.join(PICTURE_FOLDERS)} in {folder}; to get it: {FETCH}")
    class_keys, paths = [], []
    for part in ("train", "val", "test"):
        for line in read_lines(folder / "labels" / f"{part}.csv", TITLE, FETCH):
            number, _, path = line.partition(",")
            if not number.isdigit() or not path:
                raise ConfigError(f"{TITLE}: labels/{part}.csv: got {line!r}, expected a class number and a path")
            class_keys.append(number)
            paths.append(f"{pictures}/{path}")
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


DAFRE = Source(
    key="dafre",
    domain="illustrations",
    title=TITLE,
    licence="academic use, mixed ratings; not confirmed",
    homepage="https://github.com/arkel23/Danbooru2018AnimeCharacterRecognitionDataset_Revamped",
    fetch=FETCH,
    raw_dir="dafre",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
