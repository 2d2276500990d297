import pytest

from data_prep.errors import ConfigError
from data_prep.sources.fashion_product_images import read_rows

HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"


def test_a_comma_in_a_name_does_not_shift_the_cells_and_some_pictures_are_missing(lay_out, seen):
    text = HEADER + (
        "0015970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,Shirt, long, blue\n"
        "39386,Men,Apparel,Bottomwear,Jeans,Blue,Summer,2012,Casual,\n"
    )
    assert seen(read_rows(lay_out(["images/0015970.jpg"], {"styles.csv": text}))) == [
        ("Shirts", "images/0015970.jpg", "train", "", None),
        ("Jeans", "images/39386.jpg", "train", "", "missing file"),
    ]


def test_a_cut_row_and_a_missing_column_are_errors(lay_out):
    with pytest.raises(ConfigError, match="got '39386,Men', expected 10 cells"):
        read_rows(lay_out(["images/a.jpg"], {"styles.csv": HEADER + "39386,Men\n"}))
    with pytest.raises(ConfigError, match="no column 'articleType'; columns there: id, gender"):
        read_rows(lay_out(lists={"styles.csv": "id,gender\n"}))
