from data_prep.miniature.fashion_layouts import LAYOUTS


def test_placeholder():
    assert LAYOUTS
