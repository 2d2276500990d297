import pytest

from data_prep.errors import ConfigError
from data_prep.sources.aliproducts import read_rows


def test_both_halves_of_a_class_meet_under_five_digits(lay_out, seen):
    assert seen(read_rows(lay_out(["train/17/1.jpg", "val/00017/1234567.jpg"]))) == [
        ("00017", "train/17/1.jpg", "train", "", None),
        ("00017", "val/00017/1234567.jpg", "train", "", None),
    ]


def test_both_halves_are_needed(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*/val; to get it: .*231780"):
        read_rows(lay_out(["train/17/1.jpg"]))
