import json
from collections import Counter

from data_prep.miniature.dish_folder_layouts import food2k, largefinefoodai


def folders(data):
    return {photo.path.split("/")[1] for photo in data.photos}


def test_names_repeat_in_numbered_folders_and_the_lists_beside_them_divide_every_dish():
    data = food2k(0, 1.0)
    names = Counter(photo.path.split("/")[2] for photo in data.photos)
    assert set(names) == {f"{k}.jpg" for k in range(6)} and set(names.values()) == {6}
    assert {"0", "1999"} < folders(data)
    lists = [data.files[f"Food2k_complete/{half}_finetune.txt"].decode().splitlines() for half in ("train", "val")]
    assert all({line.split()[1] for line in half} == folders(data) for half in lists)
    assert sorted(line.split()[0] for half in lists for line in half) == sorted(
        photo.path.removeprefix("Food2k_complete/") for photo in data.photos
    )
    named = data.files["Food2k_complete/food2k_label2name_en.txt"].decode().splitlines()
    assert [line.split("--")[0] for line in named] == sorted(folders(data), key=int) and named[0] == "0--Mapo tofu"


def test_uneds_lists_divide_the_dishes_renumber_them_and_leave_pictures_out(read_and_planned):
    data = food2k(0, 1.0, uned=True)
    lists = {part: json.loads(data.files[f"info_files/{part}.json"]) for part in ("train", "val", "test")}
    dishes = {part: {row["path"].split("/")[2] for row in rows} for part, rows in lists.items()}
    assert {part: len(found) for part, found in dishes.items()} == {"train": 3, "val": 1, "test": 2}
    assert len(set.union(*dishes.values())) == 6
    assert all(row["path"].startswith("food2k/Food2k_complete/") for rows in lists.values() for row in rows)
    assert {row["class_id"] for row in lists["test"]} == {0, 1} and len(lists["test"]) == 2 * 4
    assert sum(not photo.listed for photo in data.photos) == 2 * 2
    found, planned = read_and_planned(data)
    assert found == planned and "missing file" in {reason for *_, reason in planned}


def test_the_pictures_of_val_have_no_dish():
    data = largefinefoodai(0, 1.0)
    assert {photo.path.count("/") for photo in data.photos if photo.path.startswith("Train/")} == {2}
    val = [photo for photo in data.photos if photo.path.startswith("Val/")]
    assert val and {photo.path.count("/") for photo in val} == {1} and not any(photo.listed for photo in val)
    assert not data.files
