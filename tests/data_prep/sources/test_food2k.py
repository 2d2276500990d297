import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.food2k import read_rows


def test_a_folder_is_a_class_and_lists_beside_them_are_not_read(lay_out, seen):
    folder = lay_out(["Food2k_complete/17/1.jpg", "Food2k_complete/9/1.jpg", "Food2k_complete/train_finetune.txt"])
    assert seen(read_rows(folder)) == [
        ("17", "Food2k_complete/17/1.jpg", "train", "", None),
        ("9", "Food2k_complete/9/1.jpg", "train", "", None),
    ]


def test_uneds_lists_give_its_split(lay_out, seen):
    lists = {f"info_files/{split}.json": "[]" for split in ("val", "test")}
    lists["info_files/train.json"] = json.dumps([{"path": "food2k/Food2k_complete/17/1.jpg", "class_id": 3}])
    folder = lay_out(["Food2k_complete/17/1.jpg", "Food2k_complete/9/1.jpg"], lists)
    assert seen(read_rows(folder)) == [("3", "Food2k_complete/17/1.jpg", "train", "", None)]


def test_a_missing_folder_says_where_to_ask(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*Food2k_complete; to get it: ask for it"):
        read_rows(lay_out())
