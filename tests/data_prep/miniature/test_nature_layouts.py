import json

import pytest

from data_prep.miniature.creatures import design
from data_prep.miniature.nature_layouts import SOURCE, SPLITS, inat2018
from data_prep.miniature.raw_data import design_streams


def trees(data):
    return [json.loads(data.files[f"{part}2018.json"]) for part in ("train", "val")]


def test_ids_of_pictures_annotations_and_species_are_of_their_own():
    train, val = trees(inat2018(0, 1.0))
    for tree in (train, val):
        names = {image["id"]: image["file_name"] for image in tree["images"]}
        for row in tree["annotations"]:
            assert names[row["image_id"]].split("/")[2] == str(row["category_id"])
        wrong = [row for row in tree["annotations"] if names[row["id"]] != names[row["image_id"]]]
        in_order = [row["category_id"] for row in tree["annotations"]]
        assert wrong and in_order != [int(image["file_name"].split("/")[2]) for image in tree["images"]]
        assert all(row["name"].isdigit() for row in tree["categories"])
    assert {image["id"] for image in train["images"]} & {image["id"] for image in val["images"]}
    assert {row["category_id"] for row in train["annotations"]} == {row["category_id"] for row in val["annotations"]}


def test_the_supercategory_is_what_is_drawn():
    data = inat2018(0, 1.0)
    for photo in data.photos:
        if photo.listed:
            kind = design(*design_streams(0, SOURCE, photo.item)).kind
            folder = {"flower": "Plantae", "fungus": "Fungi", "bird": "Aves", "beetle": "Insecta"}[kind]
            assert photo.path.split("/")[1] == folder


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_is_read_as_planned(read_and_planned, split):
    data = inat2018(0, 1.0, split)
    found, planned = read_and_planned(data)
    assert found == planned
    classes = {}
    for _, key, part, role, _ in planned:
        classes.setdefault((part, role), set()).add(key)
    sizes = {pair: len(keys - {None}) for pair, keys in classes.items()}
    assert sizes == {
        "": {("train", ""): 6},
        "retrieval": {("train", ""): 3, ("test", "both"): 3},
        "uned": {("train", ""): 2, ("val", "both"): 1, ("test", "both"): 3},
    }[split]
