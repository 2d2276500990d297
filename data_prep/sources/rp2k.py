"""RP2K: crops of shelf photographs, 2,000 and more retail products.

Layout: `all/{train,test}/<product>/*.jpg`; product folders have Chinese names, and the same name in train and
test is the same product. Unpacked outside a UTF-8 locale the names read '#U8336...': they are turned back,
and all names are compared in Unicode's composed form. The published halves share classes, so all rows are
'train'; with UnED's lists in `info_files/` their class-disjoint split is used.
"""

import re
import unicodedata
from pathlib import Path

import polars as pl

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import RemoteFile, Source, Urls
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "RP2K"
FETCH = "unpack rp2k_dataset.zip of https://www.pinlandata.com/rp2k_dataset there (all/train, all/test)"
FETCH_PLAN = Urls((
    RemoteFile(
        "https://blob-nips2020-rp2k-dataset.obs.cn-east-3.myhuaweicloud.com/rp2k_dataset.zip",
        root_has=("all/train",),
        size_bytes=6_330_687_649,
        sha256="4c32449993e720285865405c3b46d2958cb36f33a9d7db6c3d70bde49d580205",
    ),
))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA); the class is the product's name, or UnED's class id with its lists.

    Raises:
        ConfigError: a missing folder, an empty class, or what is wrong with UnED's lists.
    """
    if has_uned_lists(folder):
        return read_uned_lists(folder, "rp2k/", TITLE)
    rows = read_split_folders(folder, {"all/train": "train", "all/test": "train"}, TITLE, FETCH)
    return rows.with_columns(class_key=pl.Series([product_name(name) for name in rows["class_key"]], dtype=pl.String))


def product_name(folder_name: str) -> str:
    """The name a folder was packed under.

    >>> product_name("#U7ea2#U8336 500ml")
    '红茶 500ml'
    """
    plain = re.sub("#U([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), folder_name)
    return unicodedata.normalize("NFC", plain)


RP2K = Source(
    key="rp2k",
    domain="packaged_goods",
    title=TITLE,
    licence="not specified; research, do not pass shards on",
    homepage="https://www.pinlandata.com/rp2k_dataset",
    fetch=FETCH,
    raw_dir="rp2k",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
