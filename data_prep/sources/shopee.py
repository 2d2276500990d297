"""Shopee product matching: sellers' pictures of 11,014 products, labelled by the sellers.

Layout: `train.csv` (posting_id,image,image_phash,title,label_group) with `train_images/<image>`. The class is
`label_group`. A file stands in several rows, rarely of several groups: its first row decides, which leaves
32,412 files and 11,011 groups of 34,250 rows, as entrants of the challenge counted.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_file, require_folder
from data_prep.sources.source import KaggleCompetition, Source, source_rows

TITLE = "Shopee product matching"
FETCH = "unpack the Kaggle competition shopee-product-matching there: train.csv and train_images/"
FETCH_PLAN = KaggleCompetition("shopee-product-matching")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each file, all in split 'train'.

    Raises:
        ConfigError: no train.csv, no folder of pictures, a missing column.
    """
    path = require_file(folder / "train.csv", TITLE, FETCH)
    require_folder(folder / "train_images", TITLE, FETCH)
    table = read_text_csv(path, ("image", "label_group"), TITLE)
    table = table.unique("image", keep="first", maintain_order=True)
    paths = ("train_images/" + table["image"]).to_list()
    return mark_missing_files(source_rows(table["label_group"].to_list(), paths, "train"), folder)


SHOPEE = Source(
    key="shopee",
    domain="products",
    title=TITLE,
    licence="Kaggle competition rules; pictures are not to be passed on",
    homepage="https://www.kaggle.com/competitions/shopee-product-matching",
    fetch=FETCH,
    raw_dir="shopee",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
