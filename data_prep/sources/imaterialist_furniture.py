"""iMaterialist furniture 2018: web pictures of 128 kinds of furniture, given as addresses only.

Layout: `train.json` and `validation.json`, {"images": [{"image_id", "url"}], "annotations": [{"image_id",
"label_id"}]}. Whoever fetches the addresses saves them as `train/<image_id>.jpg` and
`validation/<image_id>.jpg`: the numbers start anew in each list. Many addresses are dead; pages that say so,
saved as .jpg, are turned away by the decode check. Both lists share all kinds: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.layouts import mark_missing_files, read_json, require_folder
from data_prep.sources.source import ByRequest, Packed, Source, source_rows

TITLE = "iMaterialist furniture 2018"
FETCH = (
    "train.json and validation.json of "
    "https://www.kaggle.com/competitions/imaterialist-challenge-furniture-2018/data (they hold addresses only), and "
    "the pictures they list, saved as train/<image_id>.jpg and validation/<image_id>.jpg"
)
FETCH_PLAN = ByRequest(
    f"{FETCH}; any downloader of lists of addresses will do for the pictures",
    (Packed("imaterialist-challenge-furniture-2018.zip", root_has=("train.json",)),),
)


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both lists, all in split 'train'; the class is `label_id`.

    Raises:
        ConfigError: a missing list or folder.
    """
    class_keys, paths = [], []
    for part in ("train", "validation"):
        require_folder(folder / part, TITLE, FETCH)
        for entry in read_json(folder / f"{part}.json", ("annotations",), TITLE, FETCH)["annotations"]:
            class_keys.append(str(entry["label_id"]))
            paths.append(f"{part}/{entry['image_id']}.jpg")
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


IMATERIALIST_FURNITURE = Source(
    key="imaterialist_furniture",
    domain="furniture",
    title=TITLE,
    licence="Kaggle competition rules; pictures are not to be passed on",
    homepage="https://www.kaggle.com/competitions/imaterialist-challenge-furniture-2018",
    fetch=FETCH,
    raw_dir="imaterialist_furniture",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
