"""FoodX-251 (iFood 2019): web pictures of 251 dishes, train noisy.

Layout: pictures in `train_set/` and `val_set/` (in some copies `train/` and `val/`) with either
`train_info.csv` and `val_info.csv`, without header (`train_00007.jpg,12`), or Kaggle's `train_labels.csv` and
`val_labels.csv` with the header `img_name,label`. Both halves share all classes: all rows are 'train'. The
test pictures have no labels.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_path_and_label, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "FoodX-251"
FETCH = (
    "annot.tar, train.tar and val.tar of https://food-x.s3.amazonaws.com/ (or the Kaggle competition "
    "ifood-2019-fgvc6) there: train_set/, val_set/ and the lists beside them or in annot/"
)
HOST = "https://food-x.s3.amazonaws.com"
FETCH_PLAN = Urls((  # the checksums are those of the home page
    RemoteFile(f"{HOST}/annot.tar", "annot", ("train_info.csv",), md5="0c632c543ceed0e70f0eb2db58eda3ab"),
    RemoteFile(f"{HOST}/val.tar", "val_set", ("val_*.jpg",), md5="fa9a4c1eb929835a0fe68734f4868d3b"),
    RemoteFile(f"{HOST}/train.tar", "train_set", ("train_*.jpg",), md5="8e56440e365ee852dcb0953a9307e27f"),
))
HEADER = ("img_name", "label")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both halves, all in split 'train'.

    Raises:
        ConfigError: a missing list or folder, or a line that is not name and number.
    """
    class_keys, paths = [], []
    for half in ("train", "val"):
        pictures = half if (folder / half).is_dir() else f"{half}_set"
        require_folder(folder / pictures, TITLE, FETCH)
        for name, label in _read_list(folder, half):
            class_keys.append(label)
            paths.append(f"{pictures}/{name}")
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


def _read_list(folder: Path, half: str) -> list[tuple[str, str]]:
    places = [folder / place / f"{half}_{kind}.csv" for place in (".", "annot") for kind in ("info", "labels")]
    path = next((path for path in places if path.is_file()), places[0])
    pairs = [pair for pair in read_path_and_label(path, ",", TITLE, FETCH) if pair != HEADER]
    wrong = [label for _, label in pairs if not label.isdigit()]
    if wrong:
        raise ConfigError(f"{TITLE}: {path}: got label {wrong[0]!r}, expected a number")
    return pairs


FOODX251 = Source(
    key="foodx251",
    domain="dishes",
    title=TITLE,
    licence="non-commercial",
    homepage="https://github.com/karansikka1/iFood_2019",
    fetch=FETCH,
    raw_dir="foodx251",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
