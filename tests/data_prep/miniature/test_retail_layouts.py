from data_prep.miniature.retail_layouts import LAYOUTS


def test_placeholder():
    assert LAYOUTS
