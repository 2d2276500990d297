"""Amazon Berkeley Objects: a shop's pictures of 147,702 listings.

Layout: `listings/metadata/listings_<i>.json.gz` (a JSON object a line: item_id, main_image_id,
other_image_id), `images/metadata/images.csv.gz` (image_id,height,width,path) and `images/small/<path>`.
An item stands in the lists once for each marketplace, and many pictures belong to several items: the class is
the connected component of items and pictures, named by its smallest item id. Pictures of more than 50 items
(size tables, logos) would join everything: they join nothing and are rejects.
"""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "Amazon Berkeley Objects"
FETCH = (
    "abo-listings.tar and abo-images-small.tar of https://amazon-berkeley-objects.s3.amazonaws.com/archives/, "
    "unpacked there, and images/metadata/images.csv.gz"
)
HOST = "https://amazon-berkeley-objects.s3.amazonaws.com"
FETCH_PLAN = Urls((
    RemoteFile(f"{HOST}/images/metadata/images.csv.gz", "images/metadata"),
    RemoteFile(f"{HOST}/archives/abo-listings.tar", root_has=("listings",)),
    RemoteFile(f"{HOST}/archives/abo-images-small.tar", root_has=("images",)),
))
MOST_ITEMS_OF_A_PICTURE = 50
BOILERPLATE = "picture of too many items"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each picture that a listing names, all in split 'train'.

    Raises:
        ConfigError: no listings, an unreadable one, no list of pictures, or a picture that is not in it.
    """
    items_of = _read_listings(require_folder(folder / "listings" / "metadata", TITLE, FETCH))
    table = read_text_csv(folder / "images" / "metadata" / "images.csv.gz", ("image_id", "path"), TITLE)
    path_of = dict(table.iter_rows())
    strangers = sorted(items_of.keys() - path_of.keys())
    if strangers:
        raise ConfigError(f"{TITLE}: {len(strangers)} picture(s) are not in images.csv.gz, first {strangers[0]!r}")
    component = _components(items for items in items_of.values() if len(items) <= MOST_ITEMS_OF_A_PICTURE)
    images = sorted(items_of)
    shared = [len(items_of[image]) > MOST_ITEMS_OF_A_PICTURE for image in images]
    keys = [
        f"boilerplate-{image}" if too_many else component[min(items_of[image])]
        for image, too_many in zip(images, shared)
    ]
    rows = source_rows(keys, [f"images/small/{path_of[image]}" for image in images], "train")
    reason = pl.when(pl.Series(shared, dtype=pl.Boolean)).then(pl.lit(BOILERPLATE)).otherwise("reject_reason")
    return mark_missing_files(rows.with_columns(reject_reason=reason), folder)


def _read_listings(folder: Path) -> dict[str, set[str]]:
    """{image_id: items that show it} over all listing files."""
    items_of: dict[str, set[str]] = {}
    paths = sorted(folder.glob("listings_*.json.gz"))
    if not paths:
        raise ConfigError(f"{TITLE}: no listings_<i>.json.gz in {folder}; to get it: {FETCH}")
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                listings = [json.loads(line) for line in lines if line.strip()]
        except (OSError, EOFError, ValueError) as error:
            raise ConfigError(f"{TITLE}: {path} is not a whole list of JSON lines: {error}") from error
        for listing in listings:
            images = [listing.get("main_image_id"), *(listing.get("other_image_id") or [])]
            for image in filter(None, images):
                items_of.setdefault(image, set()).add(listing["item_id"])
    return items_of


def _components(groups: Iterable[set[str]]) -> dict[str, str]:
    """{item: the smallest item it is joined with, over any number of steps}; a group joins all its items."""
    parent: dict[str, str] = {}

    def root(item: str) -> str:
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for items in groups:
        smallest = min(map(root, items))
        for item in items:
            parent[root(item)] = smallest
    return {item: root(item) for item in list(parent)}


AMAZON_BERKELEY_OBJECTS = Source(
    key="amazon_berkeley_objects",
    domain="products",
    title=TITLE,
    licence="CC BY-NC 4.0 by the README of the archive; read the licence file that you download",
    homepage="https://amazon-berkeley-objects.s3.amazonaws.com/index.html",
    fetch=FETCH,
    raw_dir="abo",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
