import pytest

from data_prep.errors import ConfigError
from data_prep.sources.foodx251 import read_rows

PICTURES = ["train_set/train_00007.jpg", "train_set/train_00008.jpg", "val_set/val_00001.jpg"]
ROWS = [
    ("12", "train_set/train_00007.jpg", "train", "", None),
    ("0", "train_set/train_00008.jpg", "train", "", None),
    ("12", "val_set/val_00001.jpg", "train", "", None),
]
TRAIN, VAL = "train_00007.jpg,12\ntrain_00008.jpg,0\n", "val_00001.jpg,12\n"


@pytest.mark.parametrize("place", ["", "annot/"])
def test_the_lists_have_no_header_so_the_first_line_counts(lay_out, seen, place):
    lists = {f"{place}train_info.csv": TRAIN, f"{place}val_info.csv": VAL}
    assert seen(read_rows(lay_out(PICTURES, lists))) == ROWS


def test_kaggles_lists_have_one(lay_out, seen):
    lists = {"train_labels.csv": "img_name,label\n" + TRAIN, "val_labels.csv": "img_name,label\n" + VAL}
    assert seen(read_rows(lay_out(PICTURES, lists))) == ROWS


def test_pictures_may_lie_in_folders_without_the_ending(lay_out, seen):
    lists = {"train_info.csv": TRAIN, "val_info.csv": VAL}
    rows = read_rows(lay_out([path.replace("_set/", "/") for path in PICTURES], lists))
    assert seen(rows) == [(key, path.replace("_set/", "/"), *rest) for key, path, *rest in ROWS]


def test_no_list_and_a_label_that_is_no_number(lay_out):
    with pytest.raises(ConfigError, match=r"no file .*train_info.csv; to get it"):
        read_rows(lay_out(PICTURES))
    with pytest.raises(ConfigError, match="got label 'soup', expected a number"):
        read_rows(lay_out(lists={"train_info.csv": "a.jpg,soup\n"}))
