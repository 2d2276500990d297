"""GPR1200: 1,200 classes of 10 pictures in six blocks: landmarks, nature, sketches, objects, products, faces.

Layout: `images/<category>_<name>.jpg`, all in one folder; the class is the number before the first '_' (names
hold more of them). It is made of GLDv2, iNaturalist and Stanford Online Products among others: a leak into
their test sets unless duplicates are dropped.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import list_files, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "GPR1200"
FETCH = "unpack https://visual-computing.com/files/GPR1200/GPR1200.zip there"
FETCH_PLAN = Urls((RemoteFile("https://visual-computing.com/files/GPR1200/GPR1200.zip", root_has=("images",)),))


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), all in split 'train'.

    Raises:
        ConfigError: no folder of pictures, or a name without its category.
    """
    names = list_files(require_folder(folder / "images", TITLE, FETCH))
    categories = [name.partition("_")[0] for name in names]
    for name, category in zip(names, categories):
        if not category.isdigit():
            raise ConfigError(f"{TITLE}: {folder / 'images'}: got {name!r}, expected <category number>_<name>")
    return source_rows(categories, [f"images/{name}" for name in names], "train")


GPR1200 = Source(
    key="gpr1200",
    domain="general",
    title=TITLE,
    licence="non-commercial",
    homepage="https://visual-computing.com/project/GPR1200/",
    fetch=FETCH,
    raw_dir="GPR1200",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
