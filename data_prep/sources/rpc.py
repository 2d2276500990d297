"""RPC: 200 packaged products of a shop, each alone on a turntable.

Layout: `instances_train2019.json` (COCO) with `train2019/<file_name>`: one product a picture. The class is
its category. The pictures of `val2019/` and `test2019/` show many products on a checkout counter and are left out.
With `crops` every product of all three lists is cut out by its `bbox` (COCO: x, y, width, height) and is a sample;
lists of the counter that are not there are left out.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.boxes import box_rows, read_coco_boxes
from data_prep.sources.layouts import mark_missing_files, read_coco, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows

TITLE = "RPC"
FETCH = (
    "unpack the Kaggle data set diyer22/retail-product-checkout-dataset there: instances_train2019.json and train2019/"
)
FETCH_PLAN = KaggleDataset("diyer22/retail-product-checkout-dataset", root_has=("instances_train2019.json",))


PARTS = ("train2019", "val2019", "test2019")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the train list, all in split 'train'.

    Raises:
        ConfigError: no list, no folder of pictures, a picture with more than one product or none.
    """
    require_folder(folder / "train2019", TITLE, FETCH)
    categories = read_coco(folder / "instances_train2019.json", TITLE, FETCH)
    for name, found in categories.items():
        if len(found) != 1:
            raise ConfigError(f"{TITLE}: {name} has {len(found)} products, expected one; is this the train list?")
    paths = [f"train2019/{name}" for name in categories]
    return mark_missing_files(source_rows([found[0] for found in categories.values()], paths, "train"), folder)


def read_boxes(folder: Path) -> pl.DataFrame:
    """Rows (BOX_SCHEMA) of every product in the lists that are there, all in split 'train'.

    Raises:
        ConfigError: no train list, no folder of pictures beside a list, an annotation without a box.
    """
    found = []
    for part in PARTS:
        path = folder / f"instances_{part}.json"
        if part == PARTS[0] or path.is_file():
            require_folder(folder / part, TITLE, FETCH)
            found += [(f"{part}/{name}", product, box) for name, product, box in read_coco_boxes(path, TITLE, FETCH)]
    paths, products, boxes = zip(*found, strict=True) if found else ((), (), ())
    keys = [product or f"uncropped-{path}" for product, path in zip(products, paths, strict=True)]
    return mark_missing_files(box_rows(keys, paths, boxes), folder)


RPC = Source(
    key="rpc",
    domain="packaged_goods",
    title=TITLE,
    licence="CC BY-NC-SA 4.0",
    homepage="https://rpc-dataset.github.io",
    fetch=FETCH,
    raw_dir="rpc",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
    read_boxes=read_boxes,
)
