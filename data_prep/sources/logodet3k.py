"""LogoDet-3K: 158,652 photographs with logos of 3,000 brands.

Layout: `<kind>/<brand>/<n>.jpg` with boxes in `<n>.xml` beside it; numbers repeat in every folder. The class is
kind and brand. A picture shows more than its logo and is taken whole. With `crops` each logo is cut out by its
`bndbox` (Pascal VOC: the first pixel is 1, the last one is inside) and is a sample of the picture's class. There is no
split: all rows are 'train'.
"""

from pathlib import Path, PurePosixPath

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.boxes import box_rows, read_voc_boxes
from data_prep.sources.layouts import list_files, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows

TITLE = "LogoDet-3K"
FETCH = "unpack LogoDet-3K.zip (Kaggle data set lyly99/logodet3k): its folders of kinds go there"
FETCH_PLAN = KaggleDataset("lyly99/logodet3k", root_has=("*/*/*.xml",))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all pictures, all in split 'train'.

    Raises:
        ConfigError: no folder of pictures in the layout.
    """
    pictures = _pictures(folder)
    return source_rows([str(path.parent) for path in pictures], list(map(str, pictures)), "train")


def read_boxes(folder: Path) -> pl.DataFrame:
    """Rows (BOX_SCHEMA) of all logos, all in split 'train'.

    Raises:
        ConfigError: no folder of pictures in the layout, an unreadable list of boxes.
    """
    found = []
    for picture in _pictures(folder):
        boxes = read_voc_boxes(folder / picture.with_suffix(".xml"), TITLE) or [None]
        found += [(str(picture.parent), str(picture), box) for box in boxes]
    return box_rows(*zip(*found, strict=True))


def _pictures(folder: Path) -> list[PurePosixPath]:
    paths = [PurePosixPath(name) for name in list_files(require_folder(folder, TITLE, FETCH))]
    pictures = [path for path in paths if len(path.parts) == 3 and path.suffix.lower() != ".xml"]
    if not pictures:
        raise ConfigError(f"{TITLE}: no <kind>/<brand>/<n>.jpg in {folder}; to get it: {FETCH}")
    return pictures


LOGODET3K = Source(
    key="logodet3k",
    domain="logos",
    title=TITLE,
    licence="academic use; not confirmed",
    homepage="https://github.com/Wangjing1551/LogoDet-3K-Dataset",
    fetch=FETCH,
    raw_dir="LogoDet-3K",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
    read_boxes=read_boxes,
)
