"""VMMRdb: 291,752 photographs from car advertisements, 9,170 classes of make, model and year.

Layout: a folder a class, `<make>_<model>_<year>`. Makes and models hold spaces and underscores: the folder's
whole name is the class. There is no split: all rows are 'train'.
"""

from functools import partial

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.source import ByRequest, Packed, Source

TITLE = "VMMRdb"
FETCH = "VMMRdb.zip by the Dropbox link on https://github.com/faezetta/VMMRdb: its class folders go there"
FETCH_PLAN = ByRequest(FETCH, (Packed("VMMRdb.zip", root_has=("*_*_*/*.jpg",)),))


VMMRDB = Source(
    key="vmmrdb",
    domain="cars",
    title=TITLE,
    licence="unclear; research, do not pass shards on",
    homepage="https://github.com/faezetta/VMMRdb",
    fetch=FETCH,
    raw_dir="VMMRdb",
    read_rows=partial(read_split_folders, split_folders={".": "train"}, what=TITLE, fetch=FETCH),
    fetch_plan=FETCH_PLAN,
)
