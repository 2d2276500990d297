"""Fashion Product Images: a shop's picture of each of 44,000 things to wear.

Layout: `styles.csv` (id,gender,masterCategory,subCategory,articleType,...,productDisplayName) with
`images/<id>.jpg`. Some names hold commas without quotes, so a row is parted at the first commas only, as many
as the header has; the name comes last. A thing has one picture: the class is its coarse `articleType`.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines, require_folder
from data_prep.sources.source import KaggleDataset, Source, source_rows

TITLE = "Fashion Product Images"
FETCH = "unpack the Kaggle data set paramaggarwal/fashion-product-images-small there: styles.csv and images/"
FETCH_PLAN = KaggleDataset("paramaggarwal/fashion-product-images-small", root_has=("styles.csv",))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each thing, all in split 'train'; a few ids have no picture.

    Raises:
        ConfigError: no list, no folder of pictures, a missing column or a cut row.
    """
    require_folder(folder / "images", TITLE, FETCH)
    path = folder / "styles.csv"
    header, *lines = read_lines(path, TITLE, FETCH) or [""]
    columns = header.split(",")
    for column in ("id", "articleType"):
        if column not in columns:
            raise ConfigError(f"{TITLE}: {path} has no column {column!r}; columns there: {', '.join(columns)}")
    cells = [line.split(",", len(columns) - 1) for line in lines]
    for line, row in zip(lines, cells):
        if len(row) != len(columns):
            raise ConfigError(f"{TITLE}: {path}: got {line!r}, expected {len(columns)} cells")
    kinds = [row[columns.index("articleType")] for row in cells]
    paths = [f"images/{row[columns.index('id')]}.jpg" for row in cells]
    return mark_missing_files(source_rows(kinds, paths, "train"), folder)


FASHION_PRODUCT_IMAGES = Source(
    key="fashion_product_images",
    domain="apparel",
    title=TITLE,
    licence="see the Kaggle page; not confirmed",
    homepage="https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-small",
    fetch=FETCH,
    raw_dir="fashion_product_images",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
