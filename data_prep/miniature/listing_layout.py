"""Amazon Berkeley Objects in miniature: listings of marketplaces that share items, items that share pictures."""

import gzip
import json
from dataclasses import dataclass, replace

import numpy as np

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import csv_text, damaged, n_small_classes, shots, unlisted

SOURCE = "amazon_berkeley_objects"
N_LISTING_FILES = 16
MOST_ITEMS = 50  # a picture of more items is a size table or a logo


@dataclass(frozen=True)
class Listing:
    """One item in one marketplace; pictures are positions in the list of photos."""

    item_id: str
    pictures: list[int]
    language: str


def amazon_berkeley_objects(seed: int, scale: float) -> RawDataSet:
    """`listings_<i>.json.gz`, `images.csv.gz` and `images/small/`; a class is what pictures join, over any steps.

    The first class is 50 items with one picture in common, the most that joins. The others are chains: two
    items share a picture, the second shares another with the third. Items stand in several files with other
    pictures. One picture belongs to 51 items and more, one to none; a picture's file is not named by its id, and
    a few are PNG. The listing files are numbered 0 to f.
    """
    rng = stream(seed, SOURCE, 0)
    photos, listings = [], []
    for number in range(n_small_classes(scale)):
        first = len(photos)
        photos += shots("shop_items", number, str(number), [_file(rng) for _ in range(5)])
        own = list(range(first, first + 5))
        listings += _crowd(own, rng) if number == 0 else _chain(number, own, rng)
    photos[8] = replace(photos[8], path=photos[8].path.replace(".jpg", ".png"), defect="png")
    photos = damaged(photos, ("truncated", "missing", "empty"))
    logo = shots("packages", 999, "logo", [_file(rng)])[0]
    listings = [
        Listing(listing.item_id, [*listing.pictures, len(photos)], listing.language) for listing in listings
    ]
    photos.append(replace(logo, reason="picture of too many items"))
    photos += unlisted(shots("shop_items", 998, "of no listing", [_file(rng)]))
    return RawDataSet(SOURCE, photos, _files(photos, listings, rng))


def _file(rng: np.random.Generator) -> str:
    name = rng.bytes(4).hex()
    return f"images/small/{name[:2]}/{name}.jpg"


def _crowd(pictures: list[int], rng: np.random.Generator) -> list[Listing]:
    """50 items that share the first picture; four of them have one of their own."""
    items = [f"B07{rng.bytes(3).hex().upper()}{k:02d}" for k in range(MOST_ITEMS)]
    own = {k: [pictures[k]] for k in range(1, len(pictures))}
    return [Listing(item, [pictures[0], *own.get(k, [])], "en_US") for k, item in enumerate(items)]


def _chain(number: int, pictures: list[int], rng: np.random.Generator) -> list[Listing]:
    """Three items: the middle one is listed twice and shares a picture with each of the others."""
    last, middle, first = (f"B0{k}{rng.bytes(3).hex().upper()}{number:02d}" for k in (9, 8, 7))
    return [
        Listing(last, pictures[:2], "en_US"),
        Listing(middle, [pictures[2], pictures[1]], "de_DE"),
        Listing(middle, [pictures[3]], "ja_JP"),
        Listing(first, [pictures[3], pictures[4]], "es_MX"),
    ]


def _files(photos: list[Photo], listings: list[Listing], rng: np.random.Generator) -> dict[str, bytes]:
    ids = [f"{71 + k % 3}{rng.bytes(3).hex()}+L-{k:03d}" for k in range(len(photos))]
    rows: list[list[str]] = [[] for _ in range(N_LISTING_FILES)]
    for k, listing in enumerate(listings):
        main, *others = (ids[picture] for picture in listing.pictures)
        tree: dict[str, object] = {
            "item_id": listing.item_id,
            "product_type": [{"value": "CHAIR"}],
            "item_name": [{"language_tag": listing.language, "value": "Rivet stool – grün, 椅子"}],
            "main_image_id": main,
        }
        if others:  # the key is left out where there is no other picture
            tree["other_image_id"] = others
        if k % 7 == 6:  # a listing without a main picture
            tree["other_image_id"] = [*others, tree.pop("main_image_id")]
        rows[k % N_LISTING_FILES].append(json.dumps(tree, ensure_ascii=False))
    table = [("image_id", "height", "width", "path")]
    table += [(ids[k], 2560, 1920, photo.path.removeprefix("images/small/")) for k, photo in enumerate(photos)]
    names = [f"listings/metadata/listings_{k:x}.json.gz" for k in range(N_LISTING_FILES)]
    texts = ["".join(f"{row}\n" for row in lines).encode() for lines in rows]
    packed = {name: gzip.compress(text, mtime=0) for name, text in zip(names, texts, strict=True)}
    return packed | {"images/metadata/images.csv.gz": gzip.compress(csv_text(table), mtime=0)}


LAYOUTS = {SOURCE: amazon_berkeley_objects}
