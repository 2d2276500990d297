import pytest

from data_prep.errors import ConfigError
from data_prep.sources.logo2k_plus import read_rows


def test_the_whole_line_is_the_path_and_the_class_has_its_kind(lay_out, seen):
    lists = {"train.txt": "Food/7 Up/1.jpg\nClothes/Acme/1.jpg\n", "test.txt": "Food/Acme/1.jpg\n"}
    assert seen(read_rows(lay_out(["Food/7 Up/1.jpg", "Clothes/Acme/1.jpg"], lists))) == [
        ("Food/7 Up", "Food/7 Up/1.jpg", "train", "", None),
        ("Clothes/Acme", "Clothes/Acme/1.jpg", "train", "", None),
        ("Food/Acme", "Food/Acme/1.jpg", "train", "", "missing file"),
    ]


def test_a_line_of_another_depth_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"got line 'Acme/1.jpg', expected kind/class/file"):
        read_rows(lay_out(lists={"train.txt": "Acme/1.jpg\n", "test.txt": ""}))
