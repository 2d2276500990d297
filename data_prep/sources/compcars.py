"""CompCars: 136,726 web photographs of cars, 1,716 models of 163 makes.

Layout: `data/image/<make id>/<model id>/<year>/<id>.jpg`. The class is make, model and year. The year folder
may read 'unknown': those cars are of several years and are rejects. `train_test_split/` divides a part of the
pictures for classification, with all classes in both halves, and is not read: all rows are 'train'.
"""

from pathlib import Path, PurePosixPath

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import list_files, require_folder
from data_prep.sources.source import ByRequest, Source, source_rows

TITLE = "CompCars"
FETCH = (
    "ask for the password on http://mmlab.ie.cuhk.edu.hk/datasets/comp_cars/, fetch the parts of the archive, join "
    "them and unpack them with the password: data/image/<make>/<model>/<year>/ goes there"
)
FETCH_PLAN = ByRequest(FETCH)
UNKNOWN_YEAR = "year unknown"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all pictures, all in split 'train'.

    Raises:
        ConfigError: no folder of pictures, or a file at another depth.
    """
    images = require_folder(folder / "data" / "image", TITLE, FETCH)
    paths = [PurePosixPath(name) for name in list_files(images)]
    for path in paths:
        if len(path.parts) != 4:
            raise ConfigError(f"{TITLE}: {images}: got {path}, expected <make>/<model>/<year>/<id>.jpg")
    rows = source_rows([str(path.parent) for path in paths], [f"data/image/{path}" for path in paths], "train")
    unknown = pl.col("class_key").str.ends_with("/unknown")
    return rows.with_columns(reject_reason=pl.when(unknown).then(pl.lit(UNKNOWN_YEAR)).otherwise("reject_reason"))


COMPCARS = Source(
    key="compcars",
    domain="cars",
    title=TITLE,
    licence="non-commercial research, by password",
    homepage="http://mmlab.ie.cuhk.edu.hk/datasets/comp_cars/",
    fetch=FETCH,
    raw_dir="CompCars",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
