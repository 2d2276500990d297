"""DeepFashion consumer-to-shop: buyers' and shops' photographs of the same garments.

Layout: `Eval/list_eval_partition.txt` (line 1 the number of rows, line 2 the header `image_pair_name_1
image_pair_name_2 item_id evaluation_status`) and `img/<KIND>/<Sub_kind>/<item>/{comsumer_05.jpg,shop_01.jpg}`;
'comsumer' is really spelled so. Rows are pairs of a buyer's and a shop's picture, so most pictures stand in
many rows and count once. Item ids repeat under other kinds: the class is the item's folder path.
"""

from pathlib import Path, PurePosixPath

import polars as pl

from data_prep.errors import ConfigError, unknown_name
from data_prep.sources.layouts import mark_missing_files, read_spaced_table, require_file, require_folder
from data_prep.sources.source import ByRequest, Packed, Source, source_rows

TITLE = "DeepFashion consumer-to-shop"
FETCH = (
    "from the Drive folder of the DeepFashion page (Consumer-to-shop Clothes Retrieval Benchmark): "
    "Eval/list_eval_partition.txt, and img.zip unpacked to img/"
)
FETCH_PLAN = ByRequest(
    "follow https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/Consumer2ShopRetrieval.html to the Drive folder of the "
    "Consumer-to-shop Clothes Retrieval Benchmark; take img.zip, and Eval/list_eval_partition.txt with its folder",
    (Packed("img.zip", "img"),),
)
PAIR = {"image_pair_name_1": "query", "image_pair_name_2": "index"}
STATUSES = ("train", "val", "test")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each picture: in val and test, buyers' pictures ask, shops' answer.

    Raises:
        ConfigError: no list, no img folder, a number in line 1 that is not the number of rows, an unknown
            status, a picture in two splits.
    """
    path = require_file(folder / "Eval" / "list_eval_partition.txt", TITLE, FETCH)
    require_folder(folder / "img", TITLE, FETCH)
    table = read_spaced_table(path, (*PAIR, "evaluation_status"), TITLE, lines_before_header=1)
    said = path.read_text(encoding="utf-8-sig").split("\n", 1)[0].strip()
    if said != str(table.height):
        raise ConfigError(f"{TITLE}: {path}: line 1 says {said!r} rows, found {table.height}; fetch the list again")
    for status in table["evaluation_status"].unique():
        if status not in STATUSES:
            raise unknown_name("evaluation_status", status, STATUSES, str(path))
    pictures = pl.concat(
        [table.select(path=column, split="evaluation_status", role=pl.lit(role)) for column, role in PAIR.items()]
    ).unique(maintain_order=True)
    twice = pictures.filter(pl.col("path").is_duplicated())
    if not twice.is_empty():
        raise ConfigError(f"{TITLE}: {path}: {twice['path'][0]!r} stands in two splits or in both columns")
    class_keys = ["/".join(PurePosixPath(name).parts[1:-1]) for name in pictures["path"]]
    roles = ["" if split == "train" else role for split, role in pictures.select("split", "role").rows()]
    rows = source_rows(class_keys, pictures["path"].to_list(), pictures["split"].to_list(), roles)
    return mark_missing_files(rows, folder)


DEEPFASHION_CONSUMER_TO_SHOP = Source(
    key="deepfashion_consumer_to_shop",
    domain="apparel",
    title=TITLE,
    licence="non-commercial research and education",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/Consumer2ShopRetrieval.html",
    fetch=FETCH,
    raw_dir="deepfashion_consumer_to_shop",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
