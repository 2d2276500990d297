"""Grocery Store: phone pictures of 81 kinds of fruit, vegetables and cartons in shops.

Layout: `dataset/{train,val,test}.txt`, lines `train/Fruit/Kiwi/Kiwi_901.jpg, 11, 6` (path, fine class, coarse
class, parted by comma and space), paths relative to `dataset/`. The class is the fine one: folders are of
different depth. The catalogue pictures in `iconic-images-and-descriptions/` are in no list. File names repeat
in train, val and test, and so do the classes: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "Grocery Store"
FETCH = "git clone https://github.com/marcusklasson/GroceryStoreDataset there"
COMMIT = "fc80ba90f803d79d0383df52c5a4ac5de99ff6fc"  # of September 2023
FETCH_PLAN = Urls((
    RemoteFile(
        f"https://github.com/marcusklasson/GroceryStoreDataset/archive/{COMMIT}.zip", root_has=("dataset/train.txt",)
    ),
))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the three lists, all in split 'train'.

    Raises:
        ConfigError: a missing list, or a line without its three cells.
    """
    class_keys, paths = [], []
    for name in ("train.txt", "val.txt", "test.txt"):
        for line in read_lines(folder / "dataset" / name, TITLE, FETCH):
            cells = [cell.strip() for cell in line.split(",")]
            if len(cells) != 3:
                raise ConfigError(f"{TITLE}: dataset/{name}: got {line!r}, expected path, fine class, coarse class")
            class_keys.append(cells[1])
            paths.append(f"dataset/{cells[0]}")
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


GROCERY_STORE = Source(
    key="grocery_store",
    domain="packaged_goods",
    title=TITLE,
    licence="see the LICENSE file of the repository",
    homepage="https://github.com/marcusklasson/GroceryStoreDataset",
    fetch=FETCH,
    raw_dir="GroceryStoreDataset",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
