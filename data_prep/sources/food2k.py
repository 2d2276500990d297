"""Food2K: web pictures of 2,000 dishes.

Layout: `Food2k_complete/<class 0 to 1999>/<image>.jpg`; lists beside the class folders (`train_finetune.txt`)
are of a classification split that shares all classes and are not read. Without UnED's lists in `info_files/`
all rows are 'train'; UnED's test classes, thinned to 10 pictures, are known by its lists alone.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import ByRequest, Packed, Source
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "Food2K"
FETCH = (
    "ask for it by the form at http://123.57.42.89/FoodProject.html; the class folders 0 to 1999 go to "
    "Food2k_complete/"
)
FETCH_PLAN = ByRequest(FETCH, (Packed("Food2k_complete.tar.gz", "Food2k_complete", root_has=("0",)),))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA); the class is the folder's number, or UnED's class id with its lists.

    Raises:
        ConfigError: a missing folder, an empty class, or what is wrong with UnED's lists.
    """
    if has_uned_lists(folder):
        return read_uned_lists(folder, "food2k/", TITLE)
    return read_split_folders(folder, {"Food2k_complete": "train"}, TITLE, FETCH)


FOOD2K = Source(
    key="food2k",
    domain="dishes",
    title=TITLE,
    licence="research only, by request",
    homepage="http://123.57.42.89/FoodProject.html",
    fetch=FETCH,
    raw_dir="food2k",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
