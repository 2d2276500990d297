"""Stanford Cars (CARS196): photographs of 196 car models, in either of the two layouts it is passed on in.

(a) published: `cars_train/NNNNN.jpg` and `cars_test/NNNNN.jpg`, both numbered from 00001, with
    `cars_train_annos.mat` and `cars_test_annos_withlabels.mat` in `devkit/` or beside the folders;
(b) merged: `car_ims/NNNNNN.jpg` with `cars_annos.mat`. Used when both are there: UnED names its files.

The published train and test folders share all classes: that split is for classification. For retrieval the
field divides by class number, 1 to 98 for training and 99 to 196 for testing, over both folders (Oh Song et
al., "Deep Metric Learning via Lifted Structured Feature Embedding", 2016); that is the official split here.
Class numbers start at 1. With UnED's lists in `info_files/` (layout b) they decide, val classes included.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import find_file, mark_missing_files, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "Stanford Cars"
FETCH = (
    "a copy of the data set (its own host is gone), such as Kaggle's rvnrvn1/cars196, as either "
    "cars_train/ + cars_test/ + devkit/cars_train_annos.mat + devkit/cars_test_annos_withlabels.mat, or "
    "car_ims/ + cars_annos.mat"
)
FETCH_PLAN = KaggleDataset("rvnrvn1/cars196", root_has=("car_ims", "cars_train"))
N_CLASSES = 196
LAST_TRAIN_CLASS = 98
OFFICIAL_LISTS = {"cars_train": "cars_train_annos.mat", "cars_test": "cars_test_annos_withlabels.mat"}


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA); the class key is the class number as text, every test image asks and answers.

    Raises:
        ConfigError: neither layout is there, a missing list, a list without classes, a class number that is
            not 1 to 196.
    """
    if has_uned_lists(folder):
        require_folder(folder / "car_ims", TITLE, FETCH)
        return read_uned_lists(folder, "cars/", TITLE)
    if (folder / "car_ims").is_dir():
        path = find_file(folder, "cars_annos.mat", (".", "devkit"), TITLE, FETCH)
        paths, classes = _read_annotations(path, "relative_im_path")
    elif (folder / "cars_train").is_dir():
        paths, classes = _read_official(folder)
    else:
        raise ConfigError(f"{TITLE}: neither cars_train/ nor car_ims/ in {folder}; to get it: {FETCH}")
    splits = ["train" if number <= LAST_TRAIN_CLASS else "test" for number in classes]
    roles = ["both" if split == "test" else "" for split in splits]
    return mark_missing_files(source_rows(list(map(str, classes)), paths, splits, roles), folder)


def _read_official(folder: Path) -> tuple[list[str], list[int]]:
    paths, classes = [], []
    for image_dir, list_name in OFFICIAL_LISTS.items():
        require_folder(folder / image_dir, TITLE, FETCH)
        path = find_file(folder, list_name, ("devkit", "."), TITLE, FETCH)
        names, numbers = _read_annotations(path, "fname")
        paths += [f"{image_dir}/{name}" for name in names]
        classes += numbers
    return paths, classes


def _read_annotations(path: Path, name_field: str) -> tuple[list[str], list[int]]:
    """File names and class numbers of the struct array `annotations`."""
    from scipy.io import loadmat  # slow to import, and only this data set needs it

    try:
        annotations = loadmat(path, squeeze_me=True)["annotations"]
    except Exception as error:  # whatever scipy meets in bytes that are none of its formats
        raise ConfigError(f"{TITLE}: {path} is not a .mat file with 'annotations': {error!r}") from error
    rows = np.atleast_1d(annotations)  # squeezed to no dimension where there is one annotation
    missing = [field for field in (name_field, "class") if field not in (rows.dtype.names or ())]
    if missing:
        known = ", ".join(rows.dtype.names or ())
        raise ConfigError(f"{TITLE}: {path} has no field {', '.join(missing)}; fields there: {known}")
    numbers = [int(number) for number in rows["class"]]
    _check_numbers(numbers, path)
    return [str(name) for name in rows[name_field]], numbers


def _check_numbers(numbers: Sequence[int], path: Path) -> None:
    wrong = sorted({number for number in numbers if not 1 <= number <= N_CLASSES})
    if wrong:
        raise ConfigError(f"{TITLE}: {path}: got class {wrong[0]}, expected 1 to {N_CLASSES}")


STANFORD_CARS = Source(
    key="stanford_cars",
    domain="cars",
    title=TITLE,
    licence="research; no explicit open licence",
    homepage="https://www.kaggle.com/datasets/rvnrvn1/cars196",
    fetch=FETCH,
    raw_dir="stanford_cars",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
