"""Products-10K: shop pictures of 9,691 products, most of them packaged goods.

Layout: `train.csv` (name,class,group) with `train/<name>`, and, where it was fetched too,
`test_kaggletest.csv` (name,class,Usage) with `test/<name>`. The class is the product (SKU). The two halves
hold pictures of the same classes, so there is no class-disjoint official split: all rows are 'train' and a
mixture that scores on this set says `split: by_class`.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_file, require_folder
from data_prep.sources.source import KaggleCompetition, Packed, Source, source_rows

TITLE = "Products-10K"
FETCH = (
    "unpack train.zip and test.zip of the Kaggle competition products-10k there, beside train.csv and "
    "test_kaggletest.csv"
)
FETCH_PLAN = KaggleCompetition("products-10k", (Packed("train.zip", "train"), Packed("test.zip", "test")))
OPTIONAL_TEST_LIST = "test_kaggletest.csv"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the train list and, where it is there, of the test list; all in split 'train'.

    Raises:
        ConfigError: no train.csv, a list without its folder of pictures, a missing column.
    """
    require_file(folder / "train.csv", TITLE, FETCH)
    parts = [_rows_of(folder, "train.csv", "train")]
    if (folder / OPTIONAL_TEST_LIST).is_file():
        parts.append(_rows_of(folder, OPTIONAL_TEST_LIST, "test"))
    return mark_missing_files(pl.concat(parts), folder)


def _rows_of(folder: Path, list_name: str, image_dir: str) -> pl.DataFrame:
    require_folder(folder / image_dir, TITLE, FETCH)
    table = read_text_csv(folder / list_name, ("name", "class"), TITLE)
    paths = (f"{image_dir}/" + table["name"]).to_list()
    return source_rows(table["class"].to_list(), paths, splits="train")


PRODUCTS_10K = Source(
    key="products_10k",
    domain="products",
    title=TITLE,
    licence="non-commercial research and education",
    homepage="https://products-10k.github.io",
    fetch=FETCH,
    raw_dir="products-10k",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
