"""MAFood-121: web pictures of 121 dishes.

Layout: `images/`, and for `train`, `test` and, in some copies, `val`: `<part>.txt` (a path below `images/` a
line) beside `<part>_lbls_d.txt` (the number of the dish, line by line in the same order). Lists of
ingredients and families are multi-label and not read. The parts share all dishes: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines, require_folder
from data_prep.sources.source import ByRequest, Source, source_rows

TITLE = "MAFood-121"
FETCH = (
    "from http://www.ub.edu/cvub/mafood121/: images/, and its lists train.txt, train_lbls_d.txt, test.txt and "
    "test_lbls_d.txt go there, beside each other"
)
FETCH_PLAN = ByRequest(FETCH)
PARTS = ("train", "val", "test")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all parts, all in split 'train'; a copy may lack 'val'.

    Raises:
        ConfigError: a missing list or folder, or labels that do not match their list line by line.
    """
    require_folder(folder / "images", TITLE, FETCH)
    class_keys, paths = [], []
    for part in PARTS:
        if part == "val" and not (folder / "val.txt").is_file():
            continue
        images = read_lines(folder / f"{part}.txt", TITLE, FETCH)
        labels = read_lines(folder / f"{part}_lbls_d.txt", TITLE, FETCH)
        if len(images) != len(labels):
            raise ConfigError(f"{TITLE}: {folder}: {part}.txt has {len(images)} lines, its labels {len(labels)}")
        class_keys += labels
        paths += [f"images/{image}" for image in images]
    return mark_missing_files(source_rows(class_keys, paths, "train"), folder)


MAFOOD121 = Source(
    key="mafood121",
    domain="dishes",
    title=TITLE,
    licence="research; not confirmed",
    homepage="http://www.ub.edu/cvub/mafood121/",
    fetch=FETCH,
    raw_dir="MAFood121",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
