"""iNaturalist 2018: amateurs' photographs of 8,142 species, very long tail.

Layout: `train2018.json` and `val2018.json` (COCO-like), pictures `train_val2018/<supercategory>/<category
id>/<hash>.jpg`, which is how `file_name` says it. The class is `category_id`. Both lists share all species,
so their rows are 'train'. A retrieval split divides the species; the first of these that is there is used:
UnED's lists in `info_files/`, or `Inat_dataset_splits/Inaturalist_{train,test}_set1.txt` (a path a line, the
class is the second last part), whose test set is UnED's too.
"""

from pathlib import Path, PurePosixPath

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_coco, read_lines
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "iNaturalist 2018"
FETCH = (
    "train_val2018.tar.gz, train2018.json.tar.gz and val2018.json.tar.gz of "
    "https://ml-inat-competition-datasets.s3.amazonaws.com/2018/, unpacked there"
)
HOST = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"
FETCH_PLAN = Urls((  # the small ones first: a wrong address shows before the 120 GB
    RemoteFile(f"{HOST}/val2018.json.tar.gz", root_has=("val2018.json",), md5="f2ed8bfe3e9901cdefceb4e53cd3775d"),
    RemoteFile(f"{HOST}/train2018.json.tar.gz", root_has=("train2018.json",), md5="bfa29d89d629cbf04d826a720c0a68b0"),
    RemoteFile(f"{HOST}/train_val2018.tar.gz", "train_val2018", md5="b1c6952ce38f31868cc50ea72d066cc3"),
))
SPLIT_LISTS = "Inat_dataset_splits"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA); test images of a retrieval split ask and answer.

    Raises:
        ConfigError: a missing or wrong list, an image without its one category.
    """
    if has_uned_lists(folder):
        return read_uned_lists(folder, "inat/iNaturalist/", TITLE)
    if (folder / SPLIT_LISTS).is_dir():
        parts = [_rows_of_paths(folder, "train", ""), _rows_of_paths(folder, "test", "both")]
    else:
        parts = [_rows_of_json(folder / name) for name in ("train2018.json", "val2018.json")]
    return mark_missing_files(pl.concat(parts), folder)


def _rows_of_paths(folder: Path, split: str, role: str) -> pl.DataFrame:
    listed = read_lines(folder / SPLIT_LISTS / f"Inaturalist_{split}_set1.txt", TITLE, FETCH)
    paths = ["/".join(PurePosixPath(line).parts[-4:]) for line in listed]
    return source_rows([PurePosixPath(path).parts[-2] for path in paths], paths, split, role)


def _rows_of_json(path: Path) -> pl.DataFrame:
    categories = read_coco(path, TITLE, FETCH)
    for name, found in categories.items():
        if len(found) != 1:
            raise ConfigError(f"{TITLE}: {path}: {name} has {len(found)} annotations, expected one")
    return source_rows([found[0] for found in categories.values()], list(categories), "train")


INAT2018 = Source(
    key="inat2018",
    domain="nature",
    title=TITLE,
    licence="non-commercial; pictures are not to be passed on",
    homepage="https://github.com/visipedia/inat_comp/tree/master/2018",
    fetch=FETCH,
    raw_dir="inat2018",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
