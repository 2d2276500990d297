import pytest

from data_prep.errors import ConfigError
from data_prep.sources.imet import read_rows


def test_the_first_attribute_is_the_class_the_others_are_further_labels(lay_out, seen):
    text = "id,attribute_ids\n00012e5,147 616 813\n1000483,51\n"
    rows = read_rows(lay_out(["train/00012e5.png"], {"train.csv": text}))
    assert seen(rows) == [
        ("147", "train/00012e5.png", "train", "", None),
        ("51", "train/1000483.png", "train", "", "missing file"),
    ]
    assert rows["more_class_keys"].to_list() == [["616", "813"], []]


def test_a_picture_without_attributes_is_an_error(lay_out):
    with pytest.raises(ConfigError, match="'a' has no attributes"):
        read_rows(lay_out(["train/a.png"], {"train.csv": "id,attribute_ids\na,\n"}))
