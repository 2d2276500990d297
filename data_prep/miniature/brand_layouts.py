"""LogoDet-3K in miniature."""

from data_prep.miniature.raw_data import RawDataSet
from data_prep.miniature.small_sets import damaged, n_small_classes, shots

KINDS = ("Food", "Clothes", "Electronic")


def logodet3k(seed: int, scale: float) -> RawDataSet:
    """`<kind>/<brand>/<n>.jpg` and boxes in `<n>.xml`; numbers repeat, and so does one brand in two kinds."""
    photos, files = [], {}
    for item in range(n_small_classes(scale)):
        brand = "Acme" if item < 2 else f"Brand {item}'s-{item % 2 + 1}"
        folder = f"{KINDS[item % 3]}/{brand}"
        photos += shots("packages", item, folder, [f"{folder}/{number}.jpg" for number in range(1, 6)])
    photos = damaged(photos, ("truncated", "duplicate"))
    for photo in photos:
        kind, brand, name = photo.path.split("/")
        box = "<xmin>10</xmin><ymin>12</ymin><xmax>90</xmax><ymax>80</ymax>"
        content = f"<object><name>{brand}</name><bndbox>{box}</bndbox></object>"
        xml = f"<annotation><folder>{kind}</folder><filename>{name}</filename>{content}</annotation>\n"
        files[photo.path.replace(".jpg", ".xml")] = xml.encode()
    return RawDataSet("logodet3k", photos, files)


LAYOUTS = {"logodet3k": logodet3k}
