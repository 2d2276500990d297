import csv
import io
import json
from collections import Counter
from pathlib import PurePosixPath

from data_prep.miniature.fashion_layouts import (
    deepfashion2,
    deepfashion_consumer_to_shop,
    fashion200k,
    fashion_product_images,
    h_and_m,
)


def test_h_and_m_ids_are_ten_digits_below_folders_of_three():
    data = h_and_m(0, 1.0)
    rows = list(csv.DictReader(io.StringIO(data.files["articles.csv"].decode())))
    assert all(len(row["article_id"]) == 10 and row["article_id"].startswith("0") for row in rows)
    assert all(row["article_id"].startswith(row["product_code"]) and len(row["product_code"]) == 7 for row in rows)
    assert {f"images/{row['article_id'][:3]}/{row['article_id']}.jpg": row["product_code"] for row in rows} == {
        photo.path: photo.class_key for photo in data.photos
    }
    assert {"\n" in row["detail_desc"] for row in rows} == {True, False}
    assert Counter(photo.defect for photo in data.photos)["missing"] == 2


def test_consumer_to_shop_rows_are_padded_pairs():
    data = deepfashion_consumer_to_shop(0, 1.0)
    count, header, *rows = data.files["Eval/list_eval_partition.txt"].decode().splitlines()
    assert int(count) == len(rows) and all("  " in row for row in rows)
    assert header.split() == ["image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status"]
    cells = [row.split() for row in rows]
    assert all("/comsumer_" in buyer and "/shop_" in shop for buyer, shop, _, _ in cells)
    named = [name for pair in cells for name in pair[:2]]
    assert len(set(named)) < len(named)
    assert set(named) == {photo.path for photo in data.photos if photo.listed}
    folders = {str(PurePosixPath(name).parent) for name in named}
    assert len({folder.split("/")[-1] for folder in folders}) < len({folder.split("/", 2)[2] for folder in folders})
    assert len({folder.split("/", 2)[2] for folder in folders}) < len(folders)  # sub kinds repeat as well
    status = {pair[1]: pair[3] for pair in cells}
    assert {photo.split for photo in data.photos if photo.listed} == set(status.values()) == {"train", "val", "test"}
    boxes = data.files["Anno/list_bbox_consumer2shop.txt"].decode().splitlines()
    assert boxes[1].split() == ["image_name", "clothes_type", "source_type", "x_1", "y_1", "x_2", "y_2"]


def test_deepfashion2_garments():
    data = deepfashion2(0, 1.0)
    trees = {path: json.loads(content) for path, content in data.files.items()}
    garments = [
        [(tree["pair_id"], item["category_id"], item["style"]) for item in tree.values() if isinstance(item, dict)]
        for tree in trees.values()
    ]
    alone = {"/".join(map(str, found[0])) for found in garments if len(found) == 1 and found[0][2]}
    truth = {photo.class_key for photo in data.photos if photo.listed and not photo.reason}
    assert {"1/1/1", "1/1/2", "1/8/1", "2/1/1"} <= alone == truth
    reasons = Counter(photo.reason for photo in data.photos if photo.reason)
    assert reasons == {"several things in one picture": 3, "garment without an identity": 2}
    assert {"item1" in tree for tree in trees.values()} == {True, False}
    annotated = {path.replace("annos", "image").replace(".json", ".jpg") for path in trees}
    assert annotated == {photo.path for photo in data.photos if photo.listed}
    assert sum(not photo.listed for photo in data.photos) == 1


def test_fashion200k_lists_are_the_ten_and_leave_poor_detections_out():
    data = fashion200k(0, 1.0)
    lists = {name: text.decode().splitlines() for name, text in data.files.items() if name.startswith("labels/")}
    assert len(lists) == 10 and "labels/skirt_test_detect_all.txt" in lists
    cells = [line.split("\t") for lines in lists.values() for line in lines]
    assert all(len(row) == 3 and "," in row[2] for row in cells)
    counted = Counter(row[0] for row in cells)
    assert sorted(counted.values())[-2:] == [1, 2] and counted.keys() == {p.path for p in data.photos if p.listed}
    of_part = [
        {PurePosixPath(line).parts[3] for name, lines in lists.items() if part in name for line in lines}
        for part in ("_train_", "_test_")
    ]
    assert of_part[1] and of_part[1] <= of_part[0]
    assert all(photo.path.endswith(".jpeg") for photo in data.photos)


def test_names_of_things_to_wear_hold_commas_without_quotes():
    data = fashion_product_images(0, 1.0)
    header, *rows = data.files["styles.csv"].decode().splitlines()
    assert len(header.split(",")) == 10 and header.startswith("id,gender,") and header.endswith(",productDisplayName")
    assert {len(row.split(",")) for row in rows} == {10, 11, 12} and not any('"' in row for row in rows)
    kinds = {f"images/{row.split(',')[0]}.jpg": row.split(",")[4] for row in rows}
    assert kinds == {photo.path: photo.class_key for photo in data.photos if photo.listed}
    assert len({row.split(",")[3] for row in rows}) < len(set(kinds.values()))
