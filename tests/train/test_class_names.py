import pytest

from data_prep.errors import ConfigError
from train.class_names import class_names


def test_keys_are_names_where_they_read_as_such():
    assert class_names("s", ["long_sleeve", "t-shirt", "sofa 2"]) == ["long sleeve", "t-shirt", "sofa 2"]


def test_numbers_are_no_names():
    with pytest.raises(ConfigError, match=r"s: 2 class key.s. are no names, first '007'; .*--class-names s=names.csv"):
        class_names("s", ["007", "chair", "12"])


def test_names_from_a_csv_and_leading_zeros_stay(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("class_key,name\n01,office chair\n1, sofa \n2,unused\n")
    assert class_names("s", ["1", "01"], path) == ["sofa", "office chair"]


@pytest.mark.parametrize("text, part", [
    ("class_key,name\n1,sofa\n", r"s: 1 of 2 classes have no name in .*, first '2'"),
    ("class_key,name\n1,sofa\n2,\n", "have no name"),
    ("class_key,name\n1,sofa\n2,bed\n1,bed\n", "names class '1' more than once"),
    ("key,name\n1,sofa\n", "no column 'class_key'"),
])
def test_wrong_lists(text, part, tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=part):
        class_names("s", ["1", "2"], path)
