from data_prep.miniature.brand_layouts import LAYOUTS


def test_placeholder():
    assert LAYOUTS
