"""Stanford Online Products: photographs of 22,634 things sold on eBay, of twelve kinds (chair, lamp, ...).

Layout: `Ebay_train.txt` and `Ebay_test.txt`, parted by spaces, header `image_id class_id super_class_id
path`; pictures in `<kind>_final/<item>_<n>.JPG` (upper case). The class is `class_id`; the item number in the
file name would do only inside one kind. The two lists share no class. With UnED's lists in `info_files/` those
decide, val classes included.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.layouts import mark_missing_files, read_spaced_table, require_file
from data_prep.sources.source import ByRequest, Packed, Source, source_rows
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "Stanford Online Products"
FETCH = "unpack ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip in the raw root"
FETCH_PLAN = ByRequest(
    "ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip (2.9 GB) with any FTP program, or the same file by "
    "https://drive.google.com/open?id=1TclrpQOF_ullUP99wk_gjGN8pKvtErG8",
    (Packed("Stanford_Online_Products.zip", root_has=("Ebay_train.txt",)),),
)


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both lists; every test image asks and answers, as in the published protocol.

    Raises:
        ConfigError: a missing list or column, or a row with the wrong number of cells.
    """
    if has_uned_lists(folder):
        return read_uned_lists(folder, "sop/", TITLE)
    parts = [_rows_of(folder, "train", ""), _rows_of(folder, "test", "both")]
    return mark_missing_files(pl.concat(parts), folder)


def _rows_of(folder: Path, split: str, role: str) -> pl.DataFrame:
    path = require_file(folder / f"Ebay_{split}.txt", TITLE, FETCH)
    table = read_spaced_table(path, ("class_id", "path"), TITLE)
    return source_rows(table["class_id"].to_list(), table["path"].to_list(), split, role)


STANFORD_PRODUCTS = Source(
    key="stanford_products",
    domain="furniture",
    title=TITLE,
    licence="MIT for the lists; pictures from eBay, for research",
    homepage="https://cvgl.stanford.edu/projects/lifted_struct/",
    fetch=FETCH,
    raw_dir="Stanford_Online_Products",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
