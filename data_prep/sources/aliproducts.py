"""AliProducts: shops' pictures of 50,030 products, noisy train half, cleaner val half.

Layout: `train/<class>/...` and `val/<class>/<id>.jpg`. Val folders are numbered with five digits ('00000');
train folders are brought to the same form, so that both halves of a class meet. They share all classes: all
rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import Source

TITLE = "AliProducts"
FETCH = (
    "train_val.part1.tar.gz to part9 of Alibaba Tianchi data set 231780 (AliProducts Challenge), unpacked there: "
    "train/ and val/"
)
CLASS_DIGITS = 5


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both halves, all in split 'train'.

    Raises:
        ConfigError: a missing folder or an empty class.
    """
    rows = read_split_folders(folder, {"train": "train", "val": "train"}, TITLE, FETCH)
    return rows.with_columns(pl.col("class_key").str.zfill(CLASS_DIGITS))


ALIPRODUCTS = Source(
    key="aliproducts",
    domain="products",
    title=TITLE,
    licence="terms of the competition, unclear; do not pass shards on",
    homepage="https://github.com/mingliangzhang2018/AliProducts-Challenge",
    fetch=FETCH,
    raw_dir="aliproducts",
    read_rows=read_rows,
)
