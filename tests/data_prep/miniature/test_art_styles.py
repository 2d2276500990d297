import numpy as np

from data_prep.miniature import art_styles


def test_photos_depend_on_item_view_and_style_alone(painter_checks):
    painter_checks(art_styles, art_styles.STYLES)


def test_a_style_is_a_palette_and_each_photo_another_work_in_it():
    style = art_styles.design(np.random.default_rng(0), np.random.default_rng(1))
    other = art_styles.design(np.random.default_rng(0), np.random.default_rng(2))
    assert style.manner == other.manner and style.colours != other.colours
    manners = {art_styles.design(np.random.default_rng(k), np.random.default_rng(1)).manner for k in range(30)}
    assert manners == set(range(art_styles.N_MANNERS))
