"""Clothes in miniature: H&M, DeepFashion consumer-to-shop, DeepFashion2, Fashion200k, Fashion Product Images."""

from dataclasses import replace
from itertools import count

from data_prep.miniature.raw_data import GROUND_PX, Part, Photo, RawDataSet
from data_prep.miniature.small_sets import (
    boxed,
    csv_text,
    damaged,
    json_text,
    n_small_classes,
    plain_lines,
    scene,
    shots,
    unlisted,
)

CONSUMER_FOLDERS = (("TOPS", "Tee"), ("TOPS", "Lace_Shirt"), ("DRESSES", "Dress"), ("CLOTHING", "Lace_Shirt"))
DRESS_LISTS = ("dress", "jacket", "pants", "skirt", "top")
SEVERAL, NO_IDENTITY = "several things in one picture", "garment without an identity"
STYLES_HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"


def h_and_m(seed: int, scale: float) -> RawDataSet:
    """`articles.csv` with ids of ten digits and a leading 0; articles of a product differ in colour.

    Pictures lie in folders of the first three digits, some articles have none, texts hold commas, quotes and
    line ends.
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


def deepfashion_consumer_to_shop(seed: int, scale: float) -> RawDataSet:
    """`Eval/list_eval_partition.txt`: count, header, padded columns, and pairs of a buyer's and a shop's picture.

    All pairs of an item are listed, so pictures repeat; item ids repeat under other kinds, and base names
    everywhere. One picture of an item is in no pair.
    """
    photos, spare, pairs = [], [], []
    for item in range(2 * n_small_classes(scale)):
        kind, sub_kind = CONSUMER_FOLDERS[item % 4]
        item_id = f"id_{item // 4 + 1:08d}"
        split = ("train", "train", "val", "test")[item % 4]
        key = f"{kind}/{sub_kind}/{item_id}"
        folder = f"img/{key}"
        buyers, shops = ([f"{folder}/{who}_{n:02d}.jpg" for n in (1, 2)] for who in ("comsumer", "shop"))
        ask, answer = ("", "") if split == "train" else ("query", "index")
        found = shots("garments", item, key, [*shops, *buyers], split)
        photos += [replace(p, role=answer if "shop" in p.path else ask) for p in found]
        pairs += [(buyer, shop, item_id, split) for buyer in buyers for shop in shops]
        if item == 0:
            spare = unlisted([replace(found[0], path=f"{folder}/shop_03.jpg", view=9)])
    photos = damaged(photos, ("missing", "truncated", "duplicate"), lambda photo: photo.split == "train")
    photos = damaged(photos, ("empty", "missing"), lambda photo: photo.role == "query")
    rows = [f"{a:<70}{b:<70}{item_id:<16}{split}" for a, b, item_id, split in pairs]
    header = f"{'image_pair_name_1':<70}{'image_pair_name_2':<70}{'item_id':<16}evaluation_status"
    boxes = [f"{photo.path:<70}1             {2 if 'comsumer' in photo.path else 1}    1 1 99 99" for photo in photos]
    box_header = "image_name  clothes_type  source_type  x_1  y_1  x_2  y_2"
    files = {
        "Eval/list_eval_partition.txt": plain_lines([str(len(rows)), header, *rows]),
        "Anno/list_bbox_consumer2shop.txt": plain_lines([str(len(boxes)), box_header, *boxes]),
    }
    return RawDataSet("deepfashion_consumer_to_shop", photos + spare, files)


def deepfashion2(seed: int, scale: float) -> RawDataSet:
    """`train/annos/<n>.json` beside `train/image/<n>.jpg`; a garment is pair, category and style above 0.

    Boxes are [x1, y1, x2, y2]; one reaches over the picture's edge, one lies outside. One pair has two styles and
    two categories of one style; styles repeat in other pairs. Pictures of several garments need a crop, those of style
    0 have no identity; one picture has no annotation.
    """
    photos, numbers = [], count(1)
    keys = ["1/1/1", "1/1/2", "1/8/1", "2/1/1", *(f"{item}/1/1" for item in range(4, n_small_classes(scale)))]
    for item, key in enumerate(keys):
        names = [f"train/image/{next(numbers):06d}.jpg" for _ in range(4)]
        photos += [boxed(photo) for photo in shots("garments", item, key, names)]
    photos = damaged(photos, ("missing", "truncated", "duplicate"))
    for why, things in (
        (SEVERAL, [("1/1/1", 0, (20, 10, 150, 130)), ("1/8/1", 2, (40, 150, 170, 300))]),
        (NO_IDENTITY, [("2/1/0", 910, (12, 30, 130, 210))]),
        (NO_IDENTITY, [("2/1/0", 911, (50, 8, 200, 190))]),
        (SEVERAL, [("3/1/0", 912, (170, 20, 300, 180)), ("3/2/1", 913, (25, 100, 150, 260))]),
        (SEVERAL, [("2/1/1", 3, (200, 60, 345, 250)), ("2/1/1", 3, (330, 10, 400, 90))]),
    ):
        number = next(numbers)
        photo = shots("garments", 900 + number, f"unusable {number}", [f"train/image/{number:06d}.jpg"])[0]
        parts = scene(photo, things).parts
        unusable = (replace(part, reason=_why_not(part)) for part in parts)
        photos.append(replace(photo, reason=why, parts=tuple(unusable)))
    stray = unlisted(shots("garments", 999, "without annotation", [f"train/image/{next(numbers):06d}.jpg"]))
    files = {
        photo.path.replace("image", "annos").replace(".jpg", ".json"): _garments(photo) for photo in photos
    }
    return RawDataSet("deepfashion2", photos + stray, files)


def _why_not(part: Part) -> str:
    if part.class_key.endswith("/0"):
        return NO_IDENTITY
    return "box outside the picture" if part.box[0] > GROUND_PX[0] else ""


def _garments(photo: Photo) -> bytes:
    first = "item2" if photo.view == 3 else "item1"
    pair = int(photo.parts[0].class_key.split("/")[0])
    tree: dict[str, object] = {"source": "user" if first == "item2" else "shop", "pair_id": pair}
    for part, name in zip(photo.parts, (first, "item2")):
        _, category, style = map(int, part.class_key.split("/"))
        box = {"bounding_box": list(part.box), "scale": 2, "occlusion": 1, "zoom_in": 1, "viewpoint": 2}
        tree[name] = {"category_id": category, "style": style, **box}
    return json_text(tree)


def fashion200k(seed: int, scale: float) -> RawDataSet:
    """Ten lists in `labels/`, parted by tabs; the folder holds poor detections that are in none of them.

    Products are in train and in test lists, one picture is in two lists, captions hold commas.
    """
    photos, poor, lines = [], [], {f"{kind}_{part}": [] for kind in DRESS_LISTS for part in ("train", "test")}
    for item in range(n_small_classes(scale)):
        kind, product = DRESS_LISTS[item // 2 % 5], str(51_727_804 + 11 * item)
        folder = f"women/{kind}s/casual_{kind}s/{product}"
        found = shots("garments", item, product, [f"{folder}/{product}_{view}.jpeg" for view in range(5)])
        for photo in found[:4]:
            part = "test" if photo.view == 2 else "train"
            lines[f"{kind}_{part}"].append(f"{photo.path}\t0.9{photo.view}\tblue {kind}, knee length")
        photos += found[:4]
        poor += unlisted(found[4:])
    lines["top_train"].append(f"{photos[0].path}\t0.71\tblue top, short sleeves")
    photos = damaged(photos, ("missing", "html", "truncated"))
    files = {f"labels/{name}_detect_all.txt": plain_lines(rows) for name, rows in lines.items()}
    files["image_urls.txt"] = plain_lines(f"{p.path}\thttp://example.com/{n}" for n, p in enumerate(photos + poor))
    return RawDataSet("fashion200k", photos + poor, files)


def fashion_product_images(seed: int, scale: float) -> RawDataSet:
    """`styles.csv` whose last cell, the name, may hold commas without quotes; a class is an article type.

    Every thing has one picture. Ids have different lengths, a few have no picture, one picture has no row.
    """
    photos, rows, kinds = [], [STYLES_HEADER], ("Shirts", "Tshirts", "Watches", "Casual Shoes", "Belts", "Heels")
    for number in range(5 * n_small_classes(scale)):
        kind = kinds[number % len(kinds)] if number < 36 else f"Socks {number // 5}"
        photos += shots("garments", number, kind, [f"images/{(1163, 15_970, 39_386)[number % 3] + number}.jpg"])
    photos = damaged(photos, ("missing", "missing", "grey"))
    for number, photo in enumerate(photos):
        sub_kind = "Topwear" if "hirt" in photo.class_key else "Accessories"
        name = ("Turtle Check Men Navy Blue Shirt", "Puma Men's Tee, Black, Size M", "United 'C', Slim")[number % 3]
        cells = ("Men", "Apparel", sub_kind, photo.class_key, "Navy Blue", "Fall", "" if number == 4 else "2011.0")
        rows.append(",".join((photo.path[7:-4], *cells, "Casual", name)))
    stray = unlisted(shots("garments", 999, "no row", ["images/60000.jpg"]))
    return RawDataSet("fashion_product_images", photos + stray, {"styles.csv": plain_lines(rows)})


LAYOUTS = {
    layout.__name__: layout
    for layout in (h_and_m, deepfashion_consumer_to_shop, deepfashion2, fashion200k, fashion_product_images)
}
