import csv
import io
from collections import Counter

import pytest

from data_prep.miniature.raw_data import Photo
from data_prep.miniature.small_sets import STYLES, csv_text, damaged, json_text, n_small_classes, plain_lines, shots


def photos(n_classes=3, per_class=3):
    return [
        photo
        for item in range(n_classes)
        for photo in shots("cars", item, f"c{item}", [f"{item}-{view}.jpg" for view in range(per_class)])
    ]


def test_shots_are_different_pictures_of_one_thing():
    found = shots("buildings", 4, "tower", ["a.jpg", "b.jpg", "c.jpg"], "test", "both")
    assert [(photo.path, photo.view, photo.style) for photo in found] == [
        ("a.jpg", 0, "day"), ("b.jpg", 1, "evening"), ("c.jpg", 2, "day"),
    ]  # fmt: skip
    assert {(p.item, p.class_key, p.artist, p.split, p.role) for p in found} == {
        (4, "tower", "buildings", "test", "both")
    }


@pytest.mark.parametrize("artist", STYLES)
def test_every_artist_knows_its_styles(artist):
    from data_prep.miniature.darkroom import draw_item

    drawn = draw_item(0, "shopee", shots(artist, 1, "k", [f"{n}.jpg" for n in range(len(STYLES[artist]))]))
    assert len(set(drawn.values())) == len(STYLES[artist])


def test_damage_goes_round_the_classes_and_leaves_each_a_photo():
    found = damaged(photos(), ("truncated", "missing", "duplicate", "empty"))
    assert {photo.path: photo.defect for photo in found if photo.defect} == {
        "0-2.jpg": "truncated", "1-2.jpg": "missing", "0-1.jpg": "empty",
    }  # fmt: skip
    assert (found[8].item, found[8].view) == (found[6].item, found[6].view)
    with pytest.raises(ValueError, match="no photo is left for a html one"):
        damaged(photos(2, 2), ("empty", "empty", "html"))


def test_damage_spares_what_is_rejected_unlisted_or_not_meant():
    kept = [Photo("a", "k", 0, 0, "s"), Photo("b", "k", 0, 1, "s"), Photo("c", "k", 0, 2, "s", role="query")]
    kept += [Photo("d", "k", 0, 3, "s", reason="no"), Photo("e", "k", 0, 4, "s", listed=False)]
    assert Counter(p.path for p in damaged(kept, ("empty",)) if p.defect) == {"c": 1}
    assert Counter(p.path for p in damaged(kept, ("empty",), lambda p: not p.role) if p.defect) == {"b": 1}


def test_text_files():
    rows = [("a", "b"), ("1, 2", 'x "y"\nz')]
    assert list(csv.reader(io.StringIO(csv_text(rows).decode()))) == [list(row) for row in rows]
    assert plain_lines(["a b", "c"]) == b"a b\nc\n" and json_text({"茶": 1}) == '{"茶": 1}'.encode()


def test_there_are_at_least_four_classes():
    assert [n_small_classes(scale) for scale in (0.01, 1.0, 3.0)] == [4, 6, 18]
