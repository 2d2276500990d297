"""Storefront-146: photographs of the shops of 144 to 146 chains, 1 to 52 each.

Layout: a folder a class. Names of chains hold spaces, apostrophes and commas ('Bed, Bath and Beyond'), so
they must never pass through a list that is parted at commas without quotes; suffixes differ (.jpg, .jpeg).
There is no split: all rows are 'train'.
"""

from functools import partial

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import KaggleDataset, Source

TITLE = "Storefront-146"
FETCH = "unpack the Kaggle data set kerrit/storefront-146: its class folders go there"
FETCH_PLAN = KaggleDataset("kerrit/storefront-146", root_has=("*/*.jpg", "*/*.jpeg"))


STOREFRONT146 = Source(
    key="storefront146",
    domain="storefronts",
    title=TITLE,
    licence="unclear; research, do not pass shards on",
    homepage="https://www.kaggle.com/datasets/kerrit/storefront-146",
    fetch=FETCH,
    raw_dir="storefronts_146",
    read_rows=partial(read_split_folders, split_folders={".": "train"}, what=TITLE, fetch=FETCH),
    fetch_plan=FETCH_PLAN,
)
