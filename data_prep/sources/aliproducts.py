"""AliProducts: shops' pictures of 50,030 products, noisy train half, cleaner val half.

Layout: `train/<class>/...` and `val/<class>/<id>.jpg`. Val folders are numbered with five digits ('00000');
train folders are brought to the same form, so that both halves of a class meet. They share all classes: all
rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import RemoteFile, Source, Urls

TITLE = "AliProducts"
FETCH = (
    "train_val.part0.tar.gz to part9 of Alibaba Tianchi data set 231780 (AliProducts Challenge), unpacked there: "
    "train/ and val/"
)
HOSTS = {  # host: the folders of its parts; a folder's first digit is the number of the part
    "https://tianchi-competition.oss-cn-hangzhou.aliyuncs.com/231780/AliProducts": (
        "100001585554035", "200001585540031", "300001585559032", "400001585578035", "500001585599038",
        "600001585536030", "700001585524033", "800001585502035", "900001585552031",
    ),
    "https://tianchi-public-us-east-download.oss-us-east-1.aliyuncs.com/231780/AliProducts": ("000141585539496",),
}
FETCH_PLAN = Urls(tuple(
    RemoteFile(f"{host}/{folder}/train_val.part{folder[0]}.tar.gz", root_has=("train", "val"))
    for host, folders in HOSTS.items()
    for folder in folders
))
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
    fetch_plan=FETCH_PLAN,
)
