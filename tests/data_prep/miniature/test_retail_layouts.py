import csv
import io
import json
import unicodedata
from collections import Counter
from pathlib import PurePosixPath

from data_prep.miniature.retail_layouts import aliproducts, grocery_store, rp2k, rpc, shopee

NAME = PurePosixPath


def test_rp2k_names_are_plain_decomposed_and_escaped():
    folders = {str(NAME(photo.path).parent) for photo in rp2k(0, 1.0).photos}
    assert "all/train/红茶 500ml" in folders and "all/test/#U7ea2#U8336 500ml" in folders
    assert "all/train/Nestl#U00e9#U5496#U5561" in folders and "all/test/Nestle\u0301咖啡" in folders
    decomposed = [folder for folder in folders if unicodedata.normalize("NFC", folder) != folder]
    escaped = [folder for folder in folders if "#U" in folder]
    assert decomposed and escaped and all(name.startswith(("all/train/", "all/test/")) for name in folders)
    photos = rp2k(0, 1.0).photos
    assert Counter(photo.class_key for photo in photos)["单品"] == 1
    assert {"tiny", "truncated", "empty"} <= {photo.defect for photo in photos}


def test_shopee_rows_repeat_pictures_and_one_has_two_groups():
    data = shopee(0, 1.0)
    rows = list(csv.DictReader(io.StringIO(data.files["train.csv"].decode())))
    assert list(rows[0]) == ["posting_id", "image", "image_phash", "title", "label_group"]
    assert len({row["posting_id"] for row in rows}) == len(rows) > len({row["image"] for row in rows})
    groups = {}
    for row in rows:
        groups.setdefault(row["image"], []).append(row["label_group"])
    assert sorted(len(set(found)) for found in groups.values())[-2:] == [1, 2]
    truth = {photo.path: photo.class_key for photo in data.photos}
    assert {f"train_images/{image}": found[0] for image, found in groups.items()} == truth
    shown = {}
    for photo in data.photos:
        shown.setdefault((photo.item, photo.view), set()).add(photo.class_key)
    assert max(map(len, shown.values())) == 2  # two sellers, one picture


def test_aliproducts_pads_class_numbers_in_val_only():
    data = aliproducts(0, 1.0)
    folders = {str(NAME(photo.path).parent) for photo in data.photos}
    listed = [(e["id"], e["category_id"]) for part in data.files.values() for e in json.loads(part)["images"]]
    truth = [(int(NAME(photo.path).stem), int(photo.class_key)) for photo in data.photos]
    assert sorted(listed) == sorted(truth)
    assert [photo.defect for photo in data.photos if photo.path.endswith(".png")] == ["palette"]
    assert {"train/0", "val/00000", "train/17", "val/00017", "train/50029", "val/50029"} <= folders


def test_rpc_numbers_overlap_and_orders_differ():
    data = rpc(0, 1.0)
    tree = json.loads(data.files["instances_train2019.json"])
    image_ids = [image["id"] for image in tree["images"]]
    assert {entry["id"] for entry in tree["annotations"]} & set(image_ids)
    assert [entry["image_id"] for entry in tree["annotations"]] != image_ids
    assert sorted(entry["image_id"] for entry in tree["annotations"]) == sorted(image_ids)
    assert min(entry["category_id"] for entry in tree["annotations"]) == 1
    names = {image["id"]: image["file_name"] for image in tree["images"]}
    truth = {photo.path: int(photo.class_key) for photo in data.photos if photo.listed}
    assert {f"train2019/{names[e['image_id']]}": e["category_id"] for e in tree["annotations"]} == truth
    counter = json.loads(data.files["instances_val2019.json"])
    assert len(counter["annotations"]) == 3 * len(counter["images"])
    assert {image["file_name"] for image in counter["images"]} < set(names.values())


def test_grocery_lists_and_the_catalogue_beside_them():
    data = grocery_store(0, 1.0)
    assert "train/Fruit/Kiwi/Kiwi_001.jpg, 11, 6" in data.files["dataset/train.txt"].decode().splitlines()
    lists = [data.files[f"dataset/{part}.txt"].decode().splitlines() for part in ("train", "val", "test")]
    cells = [line.split(", ") for lines in lists for line in lines]
    assert {len(cell[0].split("/")) for cell in cells} == {4, 5}
    coarse = {}
    for _, fine, group in cells:
        coarse.setdefault(group, set()).add(fine)
    assert coarse["0"] == {"0", "1"}
    assert Counter(NAME(cell[0]).name for cell in cells)["Kiwi_001.jpg"] == 3
    assert {f"dataset/{cell[0]}" for cell in cells} == {photo.path for photo in data.photos if photo.listed}
    unlisted = [photo.path for photo in data.photos if not photo.listed]
    assert unlisted and all("iconic-images-and-descriptions/" in path for path in unlisted)
