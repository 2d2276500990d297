"""Shopee in miniature."""

from data_prep.miniature.raw_data import RawDataSet, stream
from data_prep.miniature.small_sets import csv_text, damaged, n_small_classes, shots


def shopee(seed: int, scale: float) -> RawDataSet:
    """`train.csv`, a row a posting: some pictures stand in several rows, one of them in rows of two groups.

    The first row of a picture decides. Groups start with a 0, names of pictures look like numbers, titles hold
    commas and quotes.
    """
    rng = stream(seed, "shopee", 0)
    photos = []
    for item in range(n_small_classes(scale)):
        names = [f"train_images/{'0' if view else '12e5'}{rng.bytes(15).hex()}.jpg" for view in range(5)]
        photos += shots("shop_items", item, f"{100 + 7 * item:09d}", names)
    photos = damaged(photos, ("truncated", "missing", "empty", "duplicate"))
    rows = [(photo.path, photo.class_key) for photo in photos]
    other_group = photos[-1].class_key
    rows += [(photo.path, photo.class_key) for photo in photos[1:3]] + [(photos[0].path, other_group)]
    table = [("posting_id", "image", "image_phash", "title", "label_group")]
    for number, (path, group) in enumerate(rows):
        title = ('Cotton bag, blue', 'Mug 12" tall', "Lampu meja")[number % 3]
        table.append((f"train_{1000 + number}", path.split("/")[1], rng.bytes(8).hex(), title, group))
    return RawDataSet("shopee", photos, {"train.csv": csv_text(table)})


LAYOUTS = {"shopee": shopee}
