import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.inat2018 import read_rows

A, B = "train_val2018/Aves/2820/ab12.jpg", "train_val2018/Fungi/7/cd34.jpg"


def coco(name, image_id, category):
    images = [{"id": image_id, "file_name": name, "width": 800, "height": 600}]
    return json.dumps({"images": images, "annotations": [{"id": 1, "image_id": image_id, "category_id": category}]})


def test_both_json_lists_share_species_and_are_train(lay_out, seen):
    lists = {"train2018.json": coco(A, 5, 2820), "val2018.json": coco(B, 5, 7)}  # ids are of each list
    assert seen(read_rows(lay_out([A], lists))) == [
        ("2820", A, "train", "", None),
        ("7", B, "train", "", "missing file"),
    ]


def test_the_retrieval_lists_divide_the_species(lay_out, seen):
    lists = {
        "Inat_dataset_splits/Inaturalist_train_set1.txt": f"Inaturalist/{A}\n",
        "Inat_dataset_splits/Inaturalist_test_set1.txt": f"{B}\n",
    }
    assert seen(read_rows(lay_out([A, B], lists))) == [("2820", A, "train", "", None), ("7", B, "test", "both", None)]


def test_uneds_lists_come_first(lay_out, seen):
    lists = {f"info_files/{split}.json": "[]" for split in ("train", "val")}
    lists["info_files/test.json"] = json.dumps([{"path": f"inat/iNaturalist/{B}", "class_id": 0}])
    assert seen(read_rows(lay_out([A, B], lists))) == [("0", B, "test", "both", None)]


def test_an_image_has_one_species(lay_out):
    bare = json.dumps({"images": [{"id": 1, "file_name": A}], "annotations": []})
    with pytest.raises(ConfigError, match=r"ab12.jpg has 0 annotations, expected one"):
        read_rows(lay_out([A], {"train2018.json": bare, "val2018.json": bare}))
