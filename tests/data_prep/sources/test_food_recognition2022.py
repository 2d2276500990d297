import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.food_recognition2022 import read_boxes, read_rows


def test_pictures_of_one_food_are_taken_whole_the_others_are_counted_rejects(lay_out, seen):
    names = ["one.jpg", "twice.jpg", "two.jpg", "none.jpg", "gone.jpg"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    foods = [(0, 1058), (1, 7), (1, 7), (2, 7), (2, 1058), (4, 7)]
    annotations = [{"image_id": image, "category_id": food, "bbox": [0, 0, 1, 1]} for image, food in foods]
    text = json.dumps({"images": images, "annotations": annotations})
    assert seen(read_rows(lay_out([f"images/{name}" for name in names[:-1]], {"annotations.json": text}))) == [
        ("1058", "images/one.jpg", "train", "", None),
        ("7", "images/twice.jpg", "train", "", None),
        ("uncropped-images/two.jpg", "images/two.jpg", "train", "", "several things in one picture"),
        ("uncropped-images/none.jpg", "images/none.jpg", "train", "", "nothing annotated"),
        ("7", "images/gone.jpg", "train", "", "missing file"),
    ]


def test_the_kaggle_copy_has_two_lists_with_ids_of_their_own(lay_out, seen):
    lists, pictures = {}, []
    for part, food in (("public_training_set_release_2.0", 1058), ("public_validation_set_2.0", 7)):
        tree = {"images": [{"id": 5, "file_name": "a.jpg"}], "annotations": [{"image_id": 5, "category_id": food}]}
        lists[f"raw_data/{part}/annotations.json"] = json.dumps(tree)
        pictures.append(f"raw_data/{part}/images/a.jpg")
    rows = read_rows(lay_out(pictures, lists))
    assert seen(rows) == [("1058", pictures[0], "train", "", None), ("7", pictures[1], "train", "", None)]


def test_each_food_is_cut_out_of_both_lists(lay_out, boxes_seen):
    lists, pictures = {}, []
    for part, width in (("public_training_set_release_2.0", 40.5), ("public_validation_set_2.0", 50.0)):
        images = [{"id": n, "file_name": name} for n, name in enumerate(("a.jpg", "none.jpg"))]
        foods = [{"image_id": 0, "category_id": food, "bbox": [10.25, 20.0, width, food]} for food in (1058, 7)]
        lists[f"raw_data/{part}/annotations.json"] = json.dumps({"images": images, "annotations": foods})
        pictures += [f"raw_data/{part}/images/{image['file_name']}" for image in images]
    a, a_none, b, b_none = pictures
    assert boxes_seen(read_boxes(lay_out(pictures, lists))) == [
        ("1058", f"{a}#box=10,20,51,1078", None), ("7", f"{a}#box=10,20,51,27", None),
        (f"uncropped-{a_none}", a_none, "nothing annotated"),
        ("1058", f"{b}#box=10,20,61,1078", None), ("7", f"{b}#box=10,20,61,27", None),
        (f"uncropped-{b_none}", b_none, "nothing annotated"),
    ]  # fmt: skip


def test_neither_layout(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*images; to get it: unpack the Kaggle data set"):
        read_rows(lay_out())
