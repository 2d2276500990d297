"""Food Recognition 2022 (AIcrowd): phone photographs of meals, most with several foods.

Layout: `annotations.json` (COCO) beside `images/`, as in the public training set; or that set and the validation
set as the Kaggle copy has them, below `raw_data/`. The class is the food's category. A picture of one food
is taken whole; one of several foods, or of none, is a reject. With `crops` each food is cut out by its `bbox` (COCO: x,
y, width, height, with fractions) and is a sample; UniFEx had a margin of 0.02.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.boxes import NOTHING, box_rows, read_coco_boxes
from data_prep.sources.layouts import mark_missing_files, read_coco, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows

TITLE = "Food Recognition 2022"
FETCH = "unpack the Kaggle data set sainikhileshreddy/food-recognition-2022 there"
FETCH_PLAN = KaggleDataset("sainikhileshreddy/food-recognition-2022", root_has=("raw_data",))
PARTS = ("public_training_set_release_2.0", "public_validation_set_2.0")
NEEDS_A_CROP = "several things in one picture"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each listed picture, all in split 'train'.

    Raises:
        ConfigError: no list or no folder of pictures.
    """
    foods: dict[str, list[str]] = {}
    for place in _places(folder):
        listed = read_coco(folder / place / "annotations.json", TITLE, FETCH)
        foods |= {f"{place}images/{name}": found for name, found in listed.items()}
    kinds = [sorted(set(found)) for found in foods.values()]
    keys = [found[0] if len(found) == 1 else f"uncropped-{path}" for path, found in zip(foods, kinds)]
    rows = source_rows(keys, list(foods), "train")
    reasons = {0: NOTHING, 1: None}
    reason = pl.Series([reasons.get(len(found), NEEDS_A_CROP) for found in kinds], dtype=pl.String)
    return mark_missing_files(rows.with_columns(reject_reason=reason), folder)


def read_boxes(folder: Path) -> pl.DataFrame:
    """Rows (BOX_SCHEMA), one for each annotated food, all in split 'train'.

    Raises:
        ConfigError: as `read_rows`, or an annotation without a box.
    """
    found = [
        (f"{place}images/{name}", food, box)
        for place in _places(folder)
        for name, food, box in read_coco_boxes(folder / place / "annotations.json", TITLE, FETCH)
    ]
    paths, foods, boxes = zip(*found, strict=True) if found else ((), (), ())
    keys = [food or f"uncropped-{path}" for food, path in zip(foods, paths, strict=True)]
    return mark_missing_files(box_rows(keys, paths, boxes), folder)


def _places(folder: Path) -> list[str]:
    places = [f"raw_data/{part}/" for part in PARTS if (folder / "raw_data" / part).is_dir()] or [""]
    for place in places:
        require_folder(folder / place / "images", TITLE, FETCH)
    return places


FOOD_RECOGNITION2022 = Source(
    key="food_recognition2022",
    domain="dishes",
    title=TITLE,
    licence="see the page of the challenge; not confirmed",
    homepage="https://www.aicrowd.com/challenges/food-recognition-benchmark-2022",
    fetch=FETCH,
    raw_dir="fr22_train_v2",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
    read_boxes=read_boxes,
)
