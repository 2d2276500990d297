import json
import unicodedata

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.rp2k import product_name, read_rows


def test_the_same_name_in_train_and_test_is_one_product_however_it_was_unpacked(lay_out, seen):
    pictures = ["all/train/红茶/1.jpg", "all/test/#U7ea2#U8336/1.jpg", "all/train/茶/1.jpg"]
    assert seen(read_rows(lay_out(pictures))) == [
        ("红茶", "all/train/红茶/1.jpg", "train", "", None),
        ("茶", "all/train/茶/1.jpg", "train", "", None),
        ("红茶", "all/test/#U7ea2#U8336/1.jpg", "train", "", None),
    ]


def test_names_are_compared_in_composed_form():
    assert product_name(unicodedata.normalize("NFD", "café")) == product_name("caf#U00e9") == "café"


def test_uneds_lists_replace_the_published_halves(lay_out, seen):
    lists = {f"info_files/{split}.json": "[]" for split in ("train", "val")}
    lists["info_files/test.json"] = json.dumps([{"path": "rp2k/all/train/茶/1.jpg", "class_id": 9}])
    folder = lay_out(["all/train/茶/1.jpg", "all/train/茶/2.jpg"], lists)
    assert seen(read_rows(folder)) == [("9", "all/train/茶/1.jpg", "test", "both", None)]


def test_a_missing_half_says_how_to_get_it(lay_out):
    with pytest.raises(ConfigError, match=r"RP2K: no folder .*all/test; to get it: .*rp2k_dataset.zip"):
        read_rows(lay_out(["all/train/a/1.jpg"]))
