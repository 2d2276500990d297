"""WikiArt (ArtGAN's lists): 81,446 paintings by style.

Layout: `Style/style_train.csv` and `Style/style_val.csv`, without header, `<Folder>/<artist_title>.jpg,12`,
and the pictures in `wikiart/<Folder>/`. Titles hold commas and odd characters: a line is parted at its last
comma. The class is the style, a category and no painting of its own; both lists share all styles, so all rows
are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.layouts import mark_missing_files, read_path_and_label, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "WikiArt"
FETCH = (
    "wikiart.zip by the link of the home page unpacked to wikiart/, and Style/style_train.csv and "
    "Style/style_val.csv of the same page"
)
COMMIT = "27876da69ef538fd2bc90eb044e3231d4006f8e5"  # of August 2023
LISTS = f"https://raw.githubusercontent.com/cs-chan/ArtGAN/{COMMIT}/WikiArt%20Dataset/Style"
FETCH_PLAN = Urls((
    RemoteFile(
        f"{LISTS}/style_train.csv",
        "Style",
        size_bytes=3_658_221,
        sha256="5a70342fe9f72a90e68af6c6aae1eb6b7852d7ddd360eb9d6a5558f4d78b4123",
    ),
    RemoteFile(
        f"{LISTS}/style_val.csv",
        "Style",
        size_bytes=1_575_672,
        sha256="9a28b6416fec793c9baf21fb1999fd3a28704d5a7b51ef78158b8fba6c1a1984",
    ),
    RemoteFile("http://web.fsktm.um.edu.my/~cschan/source/ICIP2017/wikiart.zip", "wikiart", ("Impressionism",)),
))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both lists, all in split 'train'.

    Raises:
        ConfigError: a missing list or folder, or a line without a label.
    """
    require_folder(folder / "wikiart", TITLE, FETCH)
    lists = (folder / "Style" / f"style_{part}.csv" for part in ("train", "val"))
    pairs = [pair for path in lists for pair in read_path_and_label(path, ",", TITLE, FETCH)]
    rows = source_rows([style for _, style in pairs], [f"wikiart/{path}" for path, _ in pairs], "train")
    return mark_missing_files(rows, folder)


WIKIART = Source(
    key="wikiart",
    domain="artwork",
    title=TITLE,
    licence="non-commercial",
    homepage="https://github.com/cs-chan/ArtGAN/tree/master/WikiArt%20Dataset",
    fetch=FETCH,
    raw_dir="wikiart",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
