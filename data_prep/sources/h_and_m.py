"""H&M: a shop's picture of each of 105,542 articles.

Layout: `articles.csv` (article_id,product_code,...) with `images/<first 3 digits>/<article_id>.jpg`. Article
ids are 10 digits with a leading 0, so they are text, never numbers. The class is `product_code`: articles of
one product differ in colour, and an article alone has one picture. Some articles have none.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_file, require_folder
from data_prep.sources.source import KaggleCompetition, Source, source_rows

TITLE = "H&M articles"
FETCH = (
    "unpack the Kaggle competition h-and-m-personalized-fashion-recommendations there: articles.csv and images/"
)
FETCH_PLAN = KaggleCompetition("h-and-m-personalized-fashion-recommendations")
ARTICLE_ID_DIGITS = 10


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each article, all in split 'train'.

    Raises:
        ConfigError: no articles.csv, no folder of pictures, an article id that has lost its leading 0.
    """
    path = require_file(folder / "articles.csv", TITLE, FETCH)
    require_folder(folder / "images", TITLE, FETCH)
    table = read_text_csv(path, ("article_id", "product_code"), TITLE)
    short = table.filter(pl.col("article_id").str.len_chars() != ARTICLE_ID_DIGITS)
    if not short.is_empty():
        raise ConfigError(
            f"{TITLE}: {path}: article_id {short['article_id'][0]!r}, expected {ARTICLE_ID_DIGITS} digits; the "
            "file was saved by a program that read ids as numbers, fetch it again"
        )
    paths = [f"images/{article[:3]}/{article}.jpg" for article in table["article_id"]]
    return mark_missing_files(source_rows(table["product_code"].to_list(), paths, "train"), folder)


H_AND_M = Source(
    key="h_and_m",
    domain="apparel",
    title=TITLE,
    licence="Kaggle competition rules; pictures are not to be passed on",
    homepage="https://www.kaggle.com/competitions/h-and-m-personalized-fashion-recommendations",
    fetch=FETCH,
    raw_dir="hm_personalized_fashion",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
