import pytest

from data_prep.errors import ConfigError
from data_prep.sources.gpr1200 import read_rows


def test_the_class_is_the_number_before_the_first_underscore(lay_out, seen):
    assert seen(read_rows(lay_out(["images/1000_chair_1.JPG", "images/0_a_b.jpg"]))) == [
        ("0", "images/0_a_b.jpg", "train", "", None),
        ("1000", "images/1000_chair_1.JPG", "train", "", None),
    ]


def test_a_name_without_its_category_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"got 'chair_1.jpg', expected <category number>_<name>"):
        read_rows(lay_out(["images/chair_1.jpg"]))
