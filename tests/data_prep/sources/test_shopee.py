import pytest

from data_prep.errors import ConfigError
from data_prep.sources.shopee import read_rows

CSV = """posting_id,image,image_phash,title,label_group
train_12,00aa.jpg,9a9b00ff00ff1234,"Cotton bag, blue",0100001
train_13,00aa.jpg,9a9b00ff00ff1234,Cotton bag,0100001
train_14,00aa.jpg,9a9b00ff00ff1234,Another seller's bag,200002
train_15,11bb.jpg,9a9b00ff00ff1235,Cup,200002
"""


def test_a_file_counts_once_under_the_group_of_its_first_row(lay_out, seen):
    rows = read_rows(lay_out(["train_images/00aa.jpg"], {"train.csv": CSV}))
    assert seen(rows) == [
        ("0100001", "train_images/00aa.jpg", "train", "", None),
        ("200002", "train_images/11bb.jpg", "train", "", "missing file"),
    ]


def test_what_is_missing_is_named_with_how_to_get_it(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*train_images; to get it: .*shopee-product-matching"):
        read_rows(lay_out(lists={"train.csv": CSV}))
