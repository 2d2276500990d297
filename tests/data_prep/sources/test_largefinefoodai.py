import pytest

from data_prep.errors import ConfigError
from data_prep.sources import SOURCES


def test_the_train_half_alone_is_read(lay_out, seen):
    rows = SOURCES["largefinefoodai"].read_rows(lay_out(["Train/012/001.jpg", "Val/999/001.jpg"]))
    assert seen(rows) == [("012", "Train/012/001.jpg", "train", "", None)]


def test_no_train_folder_says_how_to_get_it(lay_out):
    with pytest.raises(ConfigError, match=r"no folder .*/Train; to get it: Train.tar"):
        SOURCES["largefinefoodai"].read_rows(lay_out())
