"""LargeFineFoodAI (ICCV 2021 workshop): web pictures of dishes, the sibling of Food2K.

Layout: `Train/<class>/...`. The layout of `Val.tar` is not documented and it is left out. Pictures may repeat
those of Food2K. All rows are 'train'.
"""

from functools import partial

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import RemoteFile, Source, Urls

TITLE = "LargeFineFoodAI"
FETCH = "Train.tar of the Kaggle competition largefinefoodai-iccv-recognition (its data page gives the address)"
HOST = "https://s3plus.meituan.net/v1/mss_fad1a48f61e8451b8172ba5abfdbbee5/foodai-workshop-challenge"
FETCH_PLAN = Urls((RemoteFile(f"{HOST}/Train.tar", "Train"),))


LARGEFINEFOODAI = Source(
    key="largefinefoodai",
    domain="dishes",
    title=TITLE,
    licence="Kaggle competition rules; pictures are not to be passed on",
    homepage="https://www.kaggle.com/competitions/largefinefoodai-iccv-recognition",
    fetch=FETCH,
    raw_dir="largefinefoodai",
    read_rows=partial(read_split_folders, split_folders={"Train": "train"}, what=TITLE, fetch=FETCH),
    fetch_plan=FETCH_PLAN,
)
