import pytest

from data_prep.errors import ConfigError
from data_prep.sources.h_and_m import read_rows

HEADER = "article_id,product_code,prod_name,detail_desc\n"


def test_ids_keep_their_leading_zero_and_colours_of_a_product_are_one_class(lay_out, seen):
    text = HEADER + '0123456001,0123456,Top,"ribbed, soft"\n0123456002,0123456,Top,\n0123457001,0123457,Hat,\n'
    pictures = ["images/012/0123456001.jpg", "images/012/0123456002.jpg"]
    assert seen(read_rows(lay_out(pictures, {"articles.csv": text}))) == [
        ("0123456", "images/012/0123456001.jpg", "train", "", None),
        ("0123456", "images/012/0123456002.jpg", "train", "", None),
        ("0123457", "images/012/0123457001.jpg", "train", "", "missing file"),
    ]


def test_a_list_that_lost_its_zeros_is_an_error(lay_out):
    with pytest.raises(ConfigError, match="'123456001', expected 10 digits"):
        read_rows(lay_out(["images/a"], {"articles.csv": HEADER + "123456001,123456,Top,\n"}))
