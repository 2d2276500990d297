import pytest

from data_prep.errors import ConfigError
from data_prep.sources.logodet3k import read_boxes, read_rows


def test_numbers_repeat_in_folders_and_boxes_are_no_pictures(lay_out, seen):
    folder = lay_out(["Food/Acme/1.jpg", "Food/Acme/1.xml", "Clothes/Acme/1.jpg", "readme.txt"])
    assert seen(read_rows(folder)) == [
        ("Clothes/Acme", "Clothes/Acme/1.jpg", "train", "", None),
        ("Food/Acme", "Food/Acme/1.jpg", "train", "", None),
    ]


def test_each_logo_is_cut_out_of_pixels_that_count_from_one(lay_out, boxes_seen):
    def logo(*sides):
        xmin, ymin, xmax, ymax = sides
        return (f"<object><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>"
                "</object>")  # fmt: skip

    lists = {"Food/Acme/1.xml": f"<annotation>{logo(1, 3, 5, 8)}{logo(10, 20, 30, 41)}</annotation>"}
    assert boxes_seen(read_boxes(lay_out(["Food/Acme/1.jpg", "Food/Acme/2.jpg"], lists))) == [
        ("Food/Acme", "Food/Acme/1.jpg#box=0,2,5,8", None),
        ("Food/Acme", "Food/Acme/1.jpg#box=9,19,30,41", None),
        ("Food/Acme", "Food/Acme/2.jpg", "nothing annotated"),
    ]


def test_a_folder_of_something_else_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"no <kind>/<brand>/<n>.jpg in"):
        read_rows(lay_out(["Acme/1.jpg"]))
