import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_prep.images import check_image
from data_prep.miniature.darkroom import ARTISTS, draw_item, draw_part, draw_parts, encode
from data_prep.miniature.raw_data import DEFECTS, GROUND_PX, Part, Photo
from data_prep.miniature.small_sets import STYLES

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("defect", "format", "mode"),
    [
        ("", "JPEG", "RGB"),
        ("grey", "JPEG", "L"),
        ("cmyk", "JPEG", "CMYK"),
        ("png", "PNG", "RGB"),
        ("webp", "WEBP", "RGB"),
        ("palette", "PNG", "P"),
        ("tiny", "JPEG", "RGB"),
    ],
)
def test_usable_defects(defect, format, mode):
    image = Image.open(io.BytesIO(encode(PICTURE, 90, defect)))
    image.load()
    assert (image.format, image.mode, image.size) == (format, mode, (40, 40) if defect == "tiny" else (60, 40))


def test_broken_files_do_not_decode():
    whole, half = encode(PICTURE, 90), encode(PICTURE, 90, "truncated")
    assert half == whole[: len(half)] and len(half) == len(whole) // 2
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(half)).load()
    assert encode(PICTURE, 90, "empty") == b""
    assert check_image(encode(PICTURE, 90, "html"), 64).reason == "html page"


def test_an_unknown_defect_names_the_known_ones():
    with pytest.raises(ValueError, match="no defect 'burnt'; known: truncated"):
        encode(PICTURE, 90, "burnt")


def test_an_items_photos_without_the_missing_one():
    photos = [
        Photo(f"{view}.jpg", "5", 5, view, "road", "train", "missing" if view == 1 else "")
        for view in range(3)
    ]
    drawn = draw_item(0, "stanford_cars", photos)
    assert list(drawn) == ["0.jpg", "2.jpg"] and drawn["0.jpg"] != drawn["2.jpg"]
    assert draw_item(0, "stanford_cars", photos[2:]) == {
        "2.jpg": drawn["2.jpg"]
    }  # alone or together: the same bytes


def test_parts_fill_their_boxes_and_are_cut_off_at_the_edge():
    inside, over = Part("1", 4, 7, "road", (10, 20, 110, 90)), Part("2", 5, 8, "road", (250, -30, 350, 40))
    skipped = Part("2", 5, 8, "road", (0, 100, 90, 200), "empty box")
    photo = Photo("0.jpg", "1", 9, 0, "road", parts=(inside, over, skipped), artist="cars")
    picture = draw_parts(0, "rpc", photo)
    assert picture.shape == (*GROUND_PX[::-1], 3)
    assert np.array_equal(picture[20:90, 10:110], draw_part(0, "rpc", "cars", inside))
    assert np.array_equal(picture[:40, 250:], draw_part(0, "rpc", "cars", over)[30:, :70])
    assert np.ptp(picture[100:200, :90], axis=(0, 1)).max() == 0
    assert not np.array_equal(draw_part(0, "rpc", "cars", inside), draw_part(0, "rpc", "cars", replace(inside, view=8)))


def test_every_data_set_has_its_painter():
    assert ARTISTS.keys() >= DEFECTS.keys() | STYLES.keys()
