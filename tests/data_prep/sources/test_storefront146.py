import pytest

from data_prep.errors import ConfigError
from data_prep.sources import SOURCES


def test_names_of_chains_hold_commas_and_apostrophes(lay_out, seen):
    rows = SOURCES["storefront146"].read_rows(lay_out(["Bed, Bath and Beyond/1.jpeg", "Wendy's/1.jpg"]))
    assert seen(rows) == [
        ("Bed, Bath and Beyond", "Bed, Bath and Beyond/1.jpeg", "train", "", None),
        ("Wendy's", "Wendy's/1.jpg", "train", "", None),
    ]


def test_an_empty_folder_is_an_error(lay_out):
    with pytest.raises(ConfigError, match="expected a folder for each class, found none"):
        SOURCES["storefront146"].read_rows(lay_out(["1.jpg"]))
