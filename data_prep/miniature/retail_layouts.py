"""Shops' and sellers' pictures in miniature: RP2K, Shopee, AliProducts, RPC, Grocery Store."""

import unicodedata
from dataclasses import replace

import numpy as np

from data_prep.miniature.raw_data import GROUND_PX, Photo, RawDataSet, stream
from data_prep.miniature.small_sets import (
    boxed,
    csv_text,
    damaged,
    fractional_coco,
    json_text,
    n_small_classes,
    plain_lines,
    same_picture,
    scene,
    shots,
    unlisted,
)

GROCERIES = (  # folder, fine class, coarse class; folders are of different depth
    ("Fruit/Kiwi", "Kiwi", 11, 6),
    ("Fruit/Apple/Golden-Delicious", "Golden-Delicious", 0, 0),
    ("Fruit/Apple/Granny-Smith", "Granny-Smith", 1, 0),
    ("Packages/Milk/Arla-Standard-Milk", "Arla-Standard-Milk", 60, 6),
)


def rp2k(seed: int, scale: float) -> RawDataSet:
    """`all/{train,test}/<product>/`; a product is its Chinese name, however the archive was unpacked.

    The name may be plain, in decomposed form, or escaped with #U and four hex digits (of letters below 256 as
    well); it may differ in that between train and test, and one product is in train only, with one picture.
    """
    photos = []
    for item in range(n_small_classes(scale)):
        name = ("红茶 500ml", "Nestlé咖啡", "绿茶", "红茶 250ml")[item % 4] + (f" {item}" if item > 3 else "")
        escaped = "".join(char if char.isascii() else f"#U{ord(char):04x}" for char in name)
        test_name = (escaped, unicodedata.normalize("NFD", name), name)[item % 3]
        train_name = escaped if item % 4 == 1 else name
        paths = [f"all/train/{train_name}/{view}.jpg" for view in range(4)]
        paths += [f"all/test/{test_name}/{view}.jpg" for view in range(2)]
        photos += shots("packages", item, name, paths)
    photos += shots("packages", 999, "单品", ["all/train/单品/0.jpg"])
    photos = damaged(photos, ("tiny", "truncated", "empty", "duplicate"))
    return RawDataSet("rp2k", photos)


def shopee(seed: int, scale: float) -> RawDataSet:
    """`train.csv`, a row a posting: some pictures stand in several rows, one of them in rows of two groups.

    The first row of a picture decides. Groups start with a 0, names of pictures look like numbers, titles hold
    commas and quotes, and two groups of different sellers have the same picture under two names.
    """
    rng = stream(seed, "shopee", 0)
    photos = []
    for item in range(n_small_classes(scale)):
        names = [f"train_images/{'0' if view else '12e5'}{rng.bytes(15).hex()}.jpg" for view in range(5)]
        photos += shots("shop_items", item, f"{100 + 7 * item:09d}", names)
    photos[7] = same_picture(photos[7], photos[2])
    photos = damaged(photos, ("truncated", "missing", "empty", "duplicate"))
    rows = [(photo.path, photo.class_key) for photo in photos]
    other_group = photos[-1].class_key
    rows += [(photo.path, photo.class_key) for photo in photos[1:3]] + [(photos[0].path, other_group)]
    table = [("posting_id", "image", "image_phash", "title", "label_group")]
    for number, (path, group) in enumerate(rows):
        title = ("Cotton bag, blue", 'Mug 12" tall', "Lampu meja")[number % 3]
        table.append((f"train_{1000 + number}", path.split("/")[1], rng.bytes(8).hex(), title, group))
    return RawDataSet("shopee", photos, {"train.csv": csv_text(table)})


def aliproducts(seed: int, scale: float) -> RawDataSet:
    """`train/<class>/` and `val/<class of five digits>/`: the halves share their classes and some file names.

    One picture is a PNG with a palette and transparency. The JSON lists say what the folders say.
    """
    photos, files = [], {}
    for item in range(n_small_classes(scale)):
        number = (0, 17, 170, 50_029)[item] if item < 4 else 20 + item
        paths = [f"train/{number}/{1_000_000 + view}.jpg" for view in range(4)]
        paths += [f"val/{number:05d}/{1_000_000 + view}.jpg" for view in range(2)]
        photos += shots("packages", item, str(number), paths)
    photos[1] = replace(photos[1], path=photos[1].path.replace(".jpg", ".png"), defect="palette")
    photos = damaged(photos, ("html", "empty", "grey", "duplicate"))
    for part in ("train", "val"):
        inside = [photo for photo in photos if photo.path.startswith(part)]
        images = [{"id": int(p.path.split("/")[2][:-4]), "category_id": int(p.class_key)} for p in inside]
        files[f"{part}.json"] = json_text({"images": images})
    return RawDataSet("aliproducts", photos, files)


def rpc(seed: int, scale: float) -> RawDataSet:
    """`instances_train2019.json` (COCO), one product a picture; categories count from 1.

    Annotations are in another order than images, and image, annotation and category numbers overlap. The val
    and test pictures show several products on a counter and have the file names of some train pictures. Boxes are
    [x, y, width, height] with fractions.
    """
    rng = stream(seed, "rpc", 0)
    train: list[Photo] = []
    for item in range(n_small_classes(scale)):
        names = [f"train2019/69010{item:03d}_camera{view % 2}-{view}.jpg" for view in range(5)]
        train += [boxed(photo) for photo in shots("packages", item, str(item + 1), names)]
    train = damaged(train, ("missing", "cmyk", "truncated"))
    counters, files = [], {"instances_train2019.json": _coco(train, rng)}
    for part in ("val2019", "test2019"):
        names = [photo.path.replace("train2019", part) for photo in train[:2]]
        for photo in unlisted(shots("packages", 900 + len(part), "counter", names)):
            places = ((5, 8, 105, 128), (120, 30, 250, 200), (230, 210, 330, 300))
            counters.append(scene(photo, [(str(k + 1), k, box) for k, box in enumerate(places)]))
        files[f"instances_{part}.json"] = _coco(counters[-2:], rng)
    return RawDataSet("rpc", train + counters, files)


def _coco(photos: list[Photo], rng: np.random.Generator) -> bytes:
    """Images, annotations (shuffled) and categories."""
    images, annotations = [], []
    for number, photo in enumerate(photos):
        name = photo.path.split("/")[1]
        images.append({"id": 2 * number + 3, "file_name": name, "width": GROUND_PX[0], "height": GROUND_PX[1]})
        for part in photo.parts:
            box = {"bbox": fractional_coco(part.box), "area": 568_575.0, "iscrowd": 0}
            annotations.append({"image_id": 2 * number + 3, "category_id": int(part.class_key), **box})
    annotations = [{"id": k + 1, **annotations[j]} for k, j in enumerate(rng.permutation(len(annotations)).tolist())]
    categories = [{"id": k, "name": f"{k}_puffed_food", "supercategory": "puffed_food"} for k in range(1, 201)]
    return json_text({"images": images, "annotations": annotations, "categories": categories})


def grocery_store(seed: int, scale: float) -> RawDataSet:
    """`dataset/{train,val,test}.txt`, 'path, fine, coarse' with comma and space; all lists share the classes.

    File names repeat in all three folders, two fine classes are in one coarse class, and a tree of catalogue
    pictures is in no list.
    """
    photos, catalogue, rows = [], [], [("Class Name (str)", "Class ID (int)", "Coarse Class Name (str)",
                                        "Coarse Class ID (int)", "Iconic Image Path (str)",
                                        "Product Description Path (str)")]  # fmt: skip
    coarse_of = {}
    for item in range(n_small_classes(scale)):
        if item < len(GROCERIES):
            folder, name, fine, coarse = GROCERIES[item]
        else:
            name, fine, coarse = f"Pear-{item}", 61 + item, 7
            folder = f"Fruit/Pear/{name}"
        coarse_of[str(fine)] = coarse
        paths = [f"dataset/train/{folder}/{name}_{number:03d}.jpg" for number in (1, 2, 3)]
        paths += [f"dataset/{part}/{folder}/{name}_001.jpg" for part in ("val", "test")]
        photos += shots("packages", item, str(fine), paths)
        iconic = f"iconic-images-and-descriptions/{folder}/{name}_Iconic.jpg"
        catalogue += unlisted([replace(shots("packages", item, str(fine), [f"dataset/{iconic}"])[0], view=9)])
        rows.append((name, fine, folder.split("/")[1], coarse, f"/{iconic}", f"/{folder}/{name}_Description.txt"))
    photos = damaged(photos, ("missing", "truncated"))
    files = {"dataset/classes.csv": csv_text(rows)}
    for part in ("train", "val", "test"):
        inside = [photo for photo in photos if photo.path.startswith(f"dataset/{part}/")]
        lines = (f"{p.path.removeprefix('dataset/')}, {p.class_key}, {coarse_of[p.class_key]}" for p in inside)
        files[f"dataset/{part}.txt"] = plain_lines(lines)
    return RawDataSet("grocery_store", photos + catalogue, files)


LAYOUTS = {"rp2k": rp2k, "shopee": shopee, "aliproducts": aliproducts, "rpc": rpc, "grocery_store": grocery_store}
