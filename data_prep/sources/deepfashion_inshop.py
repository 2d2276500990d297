"""DeepFashion In-Shop: a shop's own photographs of 7,982 garments, several views each.

Layout: `Eval/list_eval_partition.txt` (line 1 the number of rows, line 2 the header `image_name item_id
evaluation_status`, then columns padded with spaces) and `img/<WOMEN|MEN>/<kind>/<item>/<view>.jpg`. File
names repeat in every item's folder. The class is `item_id`; train items are not among the others.
With UnED's lists in `info_files/` those decide, val classes included.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError, unknown_name
from data_prep.sources.layouts import mark_missing_files, read_spaced_table, require_file, require_folder
from data_prep.sources.source import ByRequest, Packed, Source, source_rows
from data_prep.sources.uned_lists import has_uned_lists, read_uned_lists

TITLE = "DeepFashion In-Shop"
FETCH = (
    "from the Drive folder of the DeepFashion page (In-shop Clothes Retrieval Benchmark): "
    "Eval/list_eval_partition.txt, and img.zip unpacked to img/"
)
FETCH_PLAN = ByRequest(
    "follow https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html to the Drive folder of the In-shop Clothes "
    "Retrieval Benchmark; take img.zip, and Eval/list_eval_partition.txt with its folder",
    (Packed("img.zip", "img"),),
)
PLACE_BY_STATUS = {"train": ("train", ""), "query": ("test", "query"), "gallery": ("test", "index")}


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA): query and gallery are the test split's queries and its index.

    Raises:
        ConfigError: no list or no img folder, a number in line 1 that is not the number of rows, an unknown
            status.
    """
    if has_uned_lists(folder):
        return read_uned_lists(folder, "deepfashion/inshop/", TITLE)
    path = require_file(folder / "Eval" / "list_eval_partition.txt", TITLE, FETCH)
    require_folder(folder / "img", TITLE, FETCH)
    columns = ("image_name", "item_id", "evaluation_status")
    table = read_spaced_table(path, columns, TITLE, lines_before_header=1)
    _check_count(path, table.height)
    statuses = table["evaluation_status"].to_list()
    for status in statuses:
        if status not in PLACE_BY_STATUS:
            raise unknown_name("evaluation_status", status, PLACE_BY_STATUS, str(path))
    splits, roles = zip(*(PLACE_BY_STATUS[status] for status in statuses)) if statuses else ((), ())
    rows = source_rows(table["item_id"].to_list(), table["image_name"].to_list(), splits, roles)
    return mark_missing_files(rows, folder)


def _check_count(path: Path, n_rows: int) -> None:
    """A list that was cut off while it was fetched would otherwise pass as a smaller data set."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline().strip()
    if first != str(n_rows):
        raise ConfigError(
            f"{TITLE}: {path}: line 1 says {first!r} rows, found {n_rows}; fetch the list again"
        )


DEEPFASHION_INSHOP = Source(
    key="deepfashion_inshop",
    domain="apparel",
    title=TITLE,
    licence="non-commercial research and education",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion.html",
    fetch=FETCH,
    raw_dir="deepfashion_inshop",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
