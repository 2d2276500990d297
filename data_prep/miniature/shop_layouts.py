"""Products-10K, Stanford Online Products and DeepFashion In-Shop in miniature: their files and annotations.

Each function plans one data set from a seed and a scale (1: the quickstart's size); nothing is drawn here.
"""

from collections.abc import Iterator

import numpy as np

from data_prep.miniature import garments, shop_items
from data_prep.miniature.raw_data import (
    Photo,
    RawDataSet,
    design_streams,
    lines,
    n_classes,
    n_train_classes,
    stream,
    with_defects,
)

EBAY_KINDS = (
    "bicycle",
    "cabinet",
    "chair",
    "coffee_maker",
    "fan",
    "kettle",
    "lamp",
    "mug",
    "sofa",
    "stapler",
    "table",
    "toaster",
)
FIRST_EBAY_NUMBER = 110_000_000_000
POSE_NUMBERS = {"front": 1, "side": 2, "back": 3, "full": 4, "additional": 7}


def _backdrop(rng: np.random.Generator) -> str:
    return "shop" if rng.random() < 0.35 else "home"


def products_10k(seed: int, scale: float) -> RawDataSet:
    """`train.csv` name,class,group and `test_kaggletest.csv` name,class,Usage; both halves hold all classes.

    File names are numbers with gaps; some names are in both folders. No split is disjoint in classes.
    """
    source = "products_10k"
    rng = stream(seed, source, 0, 0, 0, 4)
    photos, number = [], 0
    for item in range(n_classes(source, scale)):
        n_train = int(rng.integers(6, 10))
        for view in range(n_train):
            number += int(rng.integers(1, 4))
            photos.append(Photo(f"train/{number}.jpg", str(item), item, view, _backdrop(rng), "train"))
        for view in range(n_train, n_train + 2):
            photos.append(
                Photo(f"test/{2 * item + view - n_train + 3}.jpg", str(item), item, view, _backdrop(rng), "train")
            )
    photos = with_defects(photos, source, seed)
    train, test = (
        [photo for photo in photos if photo.path.startswith(folder)] for folder in ("train/", "test/")
    )
    files = {
        "train.csv": lines(
            "name,class,group",
            (f"{photo.path[6:]},{photo.class_key},{int(photo.class_key) // 6}" for photo in train),
        ),
        "test_kaggletest.csv": lines(
            "name,class,Usage",
            (
                f"{photo.path[5:]},{photo.class_key},{('Public', 'Private')[k % 2]}"
                for k, photo in enumerate(test)
            ),
        ),
    }
    return RawDataSet(source, photos, files)


def stanford_products(seed: int, scale: float) -> RawDataSet:
    """`Ebay_<split>.txt`: parted by spaces, suffix .JPG; class numbers run on from train to test.

    The first item of every kind carries the same eBay number, so base names repeat between folders.
    """
    source = "stanford_products"
    rng = stream(seed, source, 0, 0, 0, 4)
    photos, seen = [], set()
    for item in range(n_classes(source, scale)):
        kind = shop_items.category_of(design_streams(seed, source, item)[0])
        ebay_number = FIRST_EBAY_NUMBER + (7 * item + 13 if kind in seen else 0)
        seen.add(kind)
        split = "train" if item < n_train_classes(source, scale) else "test"
        for view in range(int(rng.integers(5, 8))):
            path = f"{kind}_final/{ebay_number}_{view}.JPG"
            photos.append(
                Photo(path, str(item + 1), item, view, _backdrop(rng), split, role="both" if split == "test" else "")
            )
    photos = with_defects(photos, source, seed)
    header = "image_id class_id super_class_id path"
    rows = [
        f"{number} {photo.class_key} {EBAY_KINDS.index(photo.path.split('_final/')[0]) + 1} {photo.path}"
        for number, photo in enumerate(photos, 1)
    ]
    files = {
        f"Ebay_{split}.txt": lines(
            header, (row for row, photo in zip(rows, photos, strict=True) if photo.split == split)
        )
        for split in ("train", "test")
    }
    return RawDataSet(source, photos, files)


def deepfashion_inshop(seed: int, scale: float) -> RawDataSet:
    """`Eval/list_eval_partition.txt`: number of rows, header, padded columns; base names repeat by folder."""
    source = "deepfashion_inshop"
    rng = stream(seed, source, 0, 0, 0, 4)
    photos, statuses = [], []
    for item in range(n_classes(source, scale)):
        train = item < n_train_classes(source, scale)
        shots = list(_fashion_shots(seed, item, rng))
        asking = rng.choice(len(shots), len(shots) // 3 + 1, replace=False).tolist()
        for view, (path, item_id, style) in enumerate(shots):
            statuses.append("train" if train else "query" if view in asking else "gallery")
            role = {"train": "", "query": "query", "gallery": "index"}[statuses[-1]]
            photos.append(Photo(path, item_id, item, view, style, "train" if train else "test", role=role))
    photos = with_defects(photos, source, seed)
    rows = [
        f"{photo.path:<70}{photo.class_key:<16}{status}"
        for photo, status in zip(photos, statuses, strict=True)
    ]
    header = f"{len(rows)}\n{'image_name':<70}{'item_id':<16}evaluation_status"
    return RawDataSet(source, photos, {"Eval/list_eval_partition.txt": lines(header, rows)})


def _fashion_shots(seed: int, item: int, rng: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """(path, item id, style) of one item's photos: all poses of its first colour, some of the others."""
    kind, n_colours = garments.kind_and_colours(*design_streams(seed, "deepfashion_inshop", item))
    sex = "MEN" if kind not in ("Dresses", "Skirts") and rng.random() < 0.4 else "WOMEN"
    item_id = f"id_{3 * item + 7:08d}"
    for colour in range(n_colours):
        for pose, number in POSE_NUMBERS.items():
            if colour == 0 or rng.random() < 0.6:
                name = f"{colour + 1:02d}_{number}_{pose}.jpg"
                yield f"img/{sex}/{kind}/{item_id}/{name}", item_id, f"{colour}:{pose}"
