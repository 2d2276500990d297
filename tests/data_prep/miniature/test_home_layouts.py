from data_prep.miniature.home_layouts import LAYOUTS


def test_placeholder():
    assert LAYOUTS
