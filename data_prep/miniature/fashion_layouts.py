"""H&M in miniature."""

from data_prep.miniature.raw_data import RawDataSet
from data_prep.miniature.small_sets import csv_text, damaged, n_small_classes, shots


def h_and_m(seed: int, scale: float) -> RawDataSet:
    """`articles.csv` with ids of ten digits and a leading 0; articles of a product differ in colour.

    Pictures lie in folders of the first three digits, and some articles have none.
    """
    photos = []
    for item in range(n_small_classes(scale)):
        product = f"{108_775 + 4_111 * item:07d}"
        articles = [f"{product}{colour:03d}" for colour in (1, 15, 44, 51)]
        photos += shots("garments", item, product, [f"images/{article[:3]}/{article}.jpg" for article in articles])
    photos = damaged(photos, ("missing", "missing", "empty"))
    table = [("article_id", "product_code", "prod_name", "product_type_no", "product_type_name", "detail_desc")]
    for number, photo in enumerate(photos):
        article = photo.path.split("/")[-1].removesuffix(".jpg")
        text = ("Jersey top, with narrow straps.", "", 'A "boxy" fit\nand low shoulders')[number % 3]
        table.append((article, photo.class_key, "Ribbed top", 253, "Vest top", text))
    return RawDataSet("h_and_m", photos, {"articles.csv": csv_text(table)})


LAYOUTS = {"h_and_m": h_and_m}
