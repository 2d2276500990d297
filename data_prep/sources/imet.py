"""iMet 2019: the Metropolitan Museum's pictures with 1,103 attributes, by one annotator each.

Layout: `train.csv` (id,attribute_ids, numbers with a space between) and `train/<id>.png`. A picture has
several attributes and no identity: its class is the first one, the others are further labels. Classes so
overlap, and a score on this set says little. Test pictures have no labels. All rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_file, require_folder
from data_prep.sources.source import KaggleCompetition, Packed, Source, source_rows

TITLE = "iMet 2019"
FETCH = "unpack the Kaggle competition imet-2019-fgvc6 there: train.csv and train/"
FETCH_PLAN = KaggleCompetition("imet-2019-fgvc6", (Packed("train.zip", "train"),))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the train list, all in split 'train'.

    Raises:
        ConfigError: no list, no folder of pictures, a missing column, a picture without attributes.
    """
    path = require_file(folder / "train.csv", TITLE, FETCH)
    require_folder(folder / "train", TITLE, FETCH)
    table = read_text_csv(path, ("id", "attribute_ids"), TITLE)
    attributes = [cell.split() for cell in table["attribute_ids"]]
    for name, found in zip(table["id"], attributes):
        if not found:
            raise ConfigError(f"{TITLE}: {path}: {name!r} has no attributes")
    rows = source_rows(
        [found[0] for found in attributes],
        [f"train/{name}.png" for name in table["id"]],
        "train",
        more_class_keys=[found[1:] for found in attributes],
    )
    return mark_missing_files(rows, folder)


IMET = Source(
    key="imet",
    domain="artwork",
    title=TITLE,
    licence="Kaggle competition rules; pictures are not to be passed on",
    homepage="https://www.kaggle.com/competitions/imet-2019-fgvc6",
    fetch=FETCH,
    raw_dir="imet-2019",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
