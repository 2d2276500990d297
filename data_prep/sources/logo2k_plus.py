"""Logo-2K+: 167,140 pictures of 2,341 logos of ten kinds.

Layout: `train.txt` and `test.txt`, lines `<kind>/<class>/<file>`, and the pictures under those paths. Names of
classes hold spaces: the whole line is the path. The class is kind and name. Both lists share all classes: all
rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_lines
from data_prep.sources.source import ByRequest, Source, source_rows

TITLE = "Logo-2K+"
FETCH = (
    "https://drive.google.com/open?id=1PTA24UTZcsnzXPN1gmV0_lRg3lMHqwp6 (also linked from "
    "https://github.com/msn199959/Logo-2k-plus-Dataset), unpacked: the folders of the ten kinds, train.txt and "
    "test.txt go there"
)
FETCH_PLAN = ByRequest(FETCH)


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of both lists, all in split 'train'.

    Raises:
        ConfigError: a missing list, or a line that is not kind/class/file.
    """
    paths = [line for name in ("train.txt", "test.txt") for line in read_lines(folder / name, TITLE, FETCH)]
    for path in paths:
        if path.count("/") != 2:
            raise ConfigError(f"{TITLE}: {folder}: got line {path!r}, expected kind/class/file")
    return mark_missing_files(source_rows([path.rpartition("/")[0] for path in paths], paths, "train"), folder)


LOGO2K_PLUS = Source(
    key="logo2k_plus",
    domain="logos",
    title=TITLE,
    licence="academic use; not confirmed",
    homepage="https://github.com/msn199959/Logo-2k-plus-Dataset",
    fetch=FETCH,
    raw_dir="Logo-2K+",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
