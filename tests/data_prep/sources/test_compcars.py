import pytest

from data_prep.errors import ConfigError
from data_prep.sources.compcars import read_rows


def test_the_class_is_make_model_and_year_and_an_unknown_year_is_no_class(lay_out, seen):
    names = ["data/image/78/1/2014/a.jpg", "data/image/78/1/2015/a.jpg", "data/image/78/1/unknown/b.jpg"]
    assert seen(read_rows(lay_out([*names, "data/label/78/1/2014/a.txt"]))) == [
        ("78/1/2014", names[0], "train", "", None),
        ("78/1/2015", names[1], "train", "", None),
        ("78/1/unknown", names[2], "train", "", "year unknown"),
    ]


def test_another_depth_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"got 78/1/a.jpg, expected <make>/<model>/<year>/<id>.jpg"):
        read_rows(lay_out(["data/image/78/1/a.jpg"]))
