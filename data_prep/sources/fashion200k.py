"""Fashion200k: shops' pictures of garments, about four a product.

Layout: `labels/<kind>_{train,test}_detect_all.txt` (dress, jacket, pants, skirt, top; path, score and caption
parted by tabs) and `women/<kind>/<sub kind>/<product>/<product>_<n>.jpeg`. The folder holds cropped
detections too poor for the lists: the lists say what belongs to the data set. The class is the product's
folder. That the lists' train and test share no product is not documented: all rows are 'train'.
"""

from pathlib import Path, PurePosixPath

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows

TITLE = "Fashion200k"
FETCH = "unpack the Kaggle data set mayukh18/fashion200k-dataset there: labels/ and women/"
FETCH_PLAN = KaggleDataset("mayukh18/fashion200k-dataset", root_has=("labels",))
KINDS = ("dress", "jacket", "pants", "skirt", "top")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all ten lists, a picture once, all in split 'train'.

    Raises:
        ConfigError: a missing list or folder, or a line without tabs.
    """
    require_folder(folder / "women", TITLE, FETCH)
    paths: dict[str, str] = {}
    for name in (f"{kind}_{part}_detect_all.txt" for kind in KINDS for part in ("train", "test")):
        for line in read_lines(folder / "labels" / name, TITLE, FETCH):
            path, tab, _ = line.partition("\t")
            if not tab:
                raise ConfigError(f"{TITLE}: labels/{name}: got {line!r}, expected path, score, caption by tabs")
            paths.setdefault(path, PurePosixPath(path).parent.name)
    return mark_missing_files(source_rows(list(paths.values()), list(paths), "train"), folder)


FASHION200K = Source(
    key="fashion200k",
    domain="apparel",
    title=TITLE,
    licence="unclear; research, do not pass shards on",
    homepage="https://github.com/xthan/fashion-200k",
    fetch=FETCH,
    raw_dir="fashion200k",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
