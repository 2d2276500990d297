"""Furniture-180: 2,687 pictures of 180 pieces of furniture, 10 to 40 each.

Layout: a folder a class. File names repeat in every folder (`001.jpg`), and suffixes are .jpg, .JPG and
.webp: all files are read, whatever they are called. There is no split: all rows are 'train'.
"""

from functools import partial

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import KaggleDataset, Source

TITLE = "Furniture-180"
FETCH = "unpack the Kaggle data set andreybeyn/qudata-gembed-furniture-180: its class folders go there"
FETCH_PLAN = KaggleDataset("andreybeyn/qudata-gembed-furniture-180", root_has=("*/*.jpg",))


FURNITURE180 = Source(
    key="furniture180",
    domain="furniture",
    title=TITLE,
    licence="unclear; research, do not pass shards on",
    homepage="https://www.kaggle.com/datasets/andreybeyn/qudata-gembed-furniture-180",
    fetch=FETCH,
    raw_dir="furniture_180",
    read_rows=partial(read_split_folders, split_folders={".": "train"}, what=TITLE, fetch=FETCH),
    fetch_plan=FETCH_PLAN,
)
