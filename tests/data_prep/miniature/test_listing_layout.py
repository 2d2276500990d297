from data_prep.miniature.listing_layout import LAYOUTS


def test_placeholder():
    assert LAYOUTS
