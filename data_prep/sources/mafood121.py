"""MAFood-121: web pictures of 121 dishes.

Layout: `images/`, and in `annotations/` or, in some copies, beside it, for `train`, `test` and, in some copies,
`val`: `<part>.txt` (a path below `images/` a line) and `<part>_lbls_d.txt` (the number of the dish, line by line in
the same order). Lists of ingredients and families are multi-label and not read. The parts share all dishes: all
rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import find_file, mark_missing_files, read_lines, require_folder
from data_prep.sources.source import ByRequest, Source, source_rows

TITLE = "MAFood-121"
FETCH = (
    "from http://www.ub.edu/cvub/mafood121/: images/, and annotations/ with its lists train.txt, train_lbls_d.txt, "
    "test.txt and test_lbls_d.txt"
)
FETCH_PLAN = ByRequest(FETCH)
PARTS = ("train", "val", "test")
PLACES = ("annotations", ".")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all parts, all in split 'train'; a copy may lack 'val'.

    Raises:
        ConfigError: a missing list or folder, or labels that do not match their list line by line.
    """
    require_folder(folder / "images", TITLE, FETCH)
    class_keys, paths = [], []
    for part in PARTS:
        if part == "val" and not any((folder / place / "val.txt").is_file() for place in PLACES):
            continue
        path = find_file(folder, f"{part}.txt", PLACES, TITLE, FETCH)
        images = read_lines(path, TITLE)
        labels = read_lines(path.with_name(f"{part}_lbls_d.txt"), TITLE, FETCH)
        if len(images) != len(labels):
            raise ConfigError(f"{TITLE}: {path.parent}: {part}.txt has {len(images)} lines, its labels {len(labels)}")
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
