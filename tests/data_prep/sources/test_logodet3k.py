import pytest

from data_prep.errors import ConfigError
from data_prep.sources.logodet3k import read_rows


def test_numbers_repeat_in_folders_and_boxes_are_no_pictures(lay_out, seen):
    folder = lay_out(["Food/Acme/1.jpg", "Food/Acme/1.xml", "Clothes/Acme/1.jpg", "readme.txt"])
    assert seen(read_rows(folder)) == [
        ("Clothes/Acme", "Clothes/Acme/1.jpg", "train", "", None),
        ("Food/Acme", "Food/Acme/1.jpg", "train", "", None),
    ]


def test_a_folder_of_something_else_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"no <kind>/<brand>/<n>.jpg in"):
        read_rows(lay_out(["Acme/1.jpg"]))
