import pytest

from data_prep.errors import ConfigError
from data_prep.sources.food101 import read_rows


def test_lines_have_no_suffix_and_both_lists_are_train(lay_out, seen):
    lists = {"meta/train.txt": "apple_pie/0000001\n", "meta/test.txt": "apple_pie/0000002\nwaffles/0000001\n"}
    assert seen(read_rows(lay_out(["images/apple_pie/0000001.jpg", "images/waffles/0000001.jpg"], lists))) == [
        ("apple_pie", "images/apple_pie/0000001.jpg", "train", "", None),
        ("apple_pie", "images/apple_pie/0000002.jpg", "train", "", "missing file"),
        ("waffles", "images/waffles/0000001.jpg", "train", "", None),
    ]


def test_a_line_without_class_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"train.txt: got 'apple_pie', expected class/id"):
        read_rows(lay_out(["images/a/b.jpg"], {"meta/train.txt": "apple_pie\n", "meta/test.txt": ""}))
