import csv
import json
from collections import Counter

import pytest

from data_prep.miniature.dish_list_layouts import (
    DAMAGED_IDS,
    PLACES_OF_FOOD_RECOGNITION,
    food101,
    food_recognition2022,
    foodx251,
    mafood121,
)


def lines(data, name):
    return data.files[name].decode().splitlines()


def test_food101_lists_have_no_suffix_and_hold_the_pictures_that_a_loader_turns_away():
    data = food101(0, 1.0)
    listed = lines(data, "meta/train.txt") + lines(data, "meta/test.txt")
    assert sorted(f"images/{line}.jpg" for line in listed) == sorted(p.path for p in data.photos if p.listed)
    assert {line.split("/")[0] for line in lines(data, "meta/test.txt")} == set(lines(data, "meta/classes.txt"))
    ids = Counter(line.split("/")[1] for line in listed)
    assert ids["0000012"] == 6  # of six dishes
    broken = {photo.path for photo in data.photos if photo.defect in ("truncated", "html", "empty")}
    assert broken == {f"images/{name}/{number}.jpg" for name, number in DAMAGED_IDS.items()}
    trees = [json.loads(data.files[f"meta/{part}.json"]) for part in ("train", "test")]
    assert sorted(line for tree in trees for inside in tree.values() for line in inside) == sorted(listed)


@pytest.mark.parametrize("kaggle", [False, True])
def test_foodx251_lists(read_and_planned, kaggle):
    data = foodx251(0, 1.0, kaggle)
    name = "train_labels.csv" if kaggle else "annot/train_info.csv"
    rows = [line.split(",") for line in lines(data, name)]
    assert (rows[0] == ["img_name", "label"]) == kaggle
    assert {label for _, label in rows[kaggle:]} == {str(12 * k) for k in range(6)}
    assert {line.count(",") for line in lines(data, f"{'' if kaggle else 'annot/'}test_info.csv")} == {0}
    found, planned = read_and_planned(data)
    assert found == planned


@pytest.mark.parametrize("beside", [False, True])
def test_mafood121_lists(read_and_planned, beside):
    data = mafood121(0, 1.0, beside)
    assert ("annotations/val.txt" in data.files) != beside and "val.txt" not in data.files
    folder = "" if beside else "annotations/"
    dishes = lines(data, f"{folder}dishes.txt")
    assert dishes != sorted(dishes)
    pairs = zip(lines(data, f"{folder}train.txt"), lines(data, f"{folder}train_lbls_d.txt"), strict=True)
    assert all(path.split("/")[0] == dishes[int(number)] for path, number in pairs)
    assert all("," in line for line in lines(data, f"{folder}train_lbls_ff.txt"))
    found, planned = read_and_planned(data)
    assert found == planned


@pytest.mark.parametrize("one_folder", [False, True])
def test_food_recognition_lists(read_and_planned, one_folder):
    data = food_recognition2022(0, 1.0, one_folder)
    places = ("",) if one_folder else PLACES_OF_FOOD_RECOGNITION
    names = []
    for place in places:
        tree = json.loads(data.files[f"{place}annotations.json"])
        ids = [image["id"] for image in tree["images"]]
        assert sorted(ids) == list(range(len(ids))) and ids != sorted(ids)
        assert {row["image_id"] for row in tree["annotations"]} < set(ids)
        assert {row["id"] for row in tree["annotations"]} & set(ids)
        assert sorted(Counter(Counter(row["image_id"] for row in tree["annotations"]).values())) == [1, 2]
        names.append({image["file_name"] for image in tree["images"]})
    assert one_folder or names[0] & names[1]
    found, planned = read_and_planned(data)
    assert found == planned
    reasons = Counter(reason for *_, reason in planned)
    assert reasons["several things in one picture"] == reasons["nothing annotated"] == len(places)


def test_the_lists_of_foodx251_are_plain_csv():
    rows = list(csv.reader(lines(foodx251(0, 1.0), "annot/val_info.csv")))
    assert len(rows) == 12 and all(len(row) == 2 for row in rows)
