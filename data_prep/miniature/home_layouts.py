"""Furniture-180 in miniature."""

from data_prep.miniature.raw_data import RawDataSet
from data_prep.miniature.small_sets import damaged, n_small_classes, shots


def furniture180(seed: int, scale: float) -> RawDataSet:
    """A folder a class; `001.jpg` in all of them, and suffixes .jpg, .JPG and .webp, whatever is inside."""
    photos = []
    for item in range(n_small_classes(scale)):
        suffixes = ("jpg", "JPG", "webp", "jpg", "jpg")
        folder = f"{('sofa', 'arm chair')[item % 2]}_{item}"
        names = [f"{folder}/{number:03d}.{suffix}" for number, suffix in enumerate(suffixes, 1)]
        photos += shots("shop_items", item, folder, names)
    return RawDataSet("furniture180", damaged(photos, ("png", "truncated", "html", "duplicate")))


LAYOUTS = {"furniture180": furniture180}
