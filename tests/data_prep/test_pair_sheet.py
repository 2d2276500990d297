import io

import numpy as np
import polars as pl
from PIL import Image

from data_prep.near_duplicates import FOUND_SCHEMA
from data_prep.pair_sheet import MOST_PAIRS, PICTURE_PX, draw_pair_sheet


def findings(*rows):
    return pl.DataFrame([("s", *row) for row in rows], schema=FOUND_SCHEMA, orient="row")


def test_verdicts_and_each_pair_once(tmp_path):
    sheet = draw_pair_sheet(
        findings(
            ("a.jpg", "1", "b.jpg", "2", 2, "kept"), ("b.jpg", "2", "a.jpg", "1", 2, "kept"),
            ("c.jpg", "1", "d.jpg", "1", 4, "dropped"), ("e.jpg", "3", "f.jpg", "4", 0, "dropped"),
            ("f.jpg", "4", "e.jpg", "3", 0, "dropped"), ("g.jpg", "5", "h.jpg", "6", 1, "class merged"),
        ),
        tmp_path,
    )  # fmt: skip
    assert [(pair.path, pair.other_path, pair.bits, pair.verdict) for pair in sheet.pairs] == [
        ("g.jpg", "h.jpg", 1, "classes merged"), ("e.jpg", "f.jpg", 0, "dropped: two classes"),
        ("a.jpg", "b.jpg", 2, "kept, reported"), ("c.jpg", "d.jpg", 4, "the left one dropped"),
    ]  # fmt: skip
    assert sheet.n_pairs == 4
    assert draw_pair_sheet(findings(), tmp_path).pairs == []


def test_some_dozens_of_many_with_every_verdict_among_them(tmp_path):
    many = [(f"{n:03d}.jpg", "1", f"{n:03d}b.jpg", "2", n % 5, "kept") for n in range(100)]
    rows = [*many, ("x.jpg", "1", "y.jpg", "1", 3, "dropped")]
    sheet = draw_pair_sheet(findings(*rows), tmp_path)
    verdicts = [pair.verdict for pair in sheet.pairs]
    assert len(verdicts) == MOST_PAIRS and sheet.n_pairs == 101 and verdicts.count("the left one dropped") == 1
    again = draw_pair_sheet(findings(*reversed(rows)), tmp_path)
    assert again == sheet
    bits = [pair.bits for pair in sheet.pairs if pair.verdict == "kept, reported"]
    assert bits == sorted(bits, reverse=True) and len(set(bits)) > 1


def test_pictures_stand_side_by_side_cut_to_their_box_and_a_lost_one_is_grey(tmp_path):
    picture = Image.new("RGB", (400, 200), (250, 0, 0))
    picture.paste((0, 0, 250), (200, 0, 400, 200))
    picture.save(tmp_path / "a.jpg", quality=95)
    cut_and_whole = ("a.jpg#box=220,10,390,180", "1", "a.jpg", "1", 0, "kept")
    rows = findings(cut_and_whole, ("gone.jpg", "1", "a.jpg", "1", 9, "kept"))
    gone, cut = (Image.open(io.BytesIO(pair.jpeg)) for pair in draw_pair_sheet(rows, tmp_path).pairs)
    assert cut.size == (2 * PICTURE_PX, PICTURE_PX)
    middle = PICTURE_PX // 2
    places = ((middle, middle), (PICTURE_PX + middle // 2, middle), (PICTURE_PX + middle * 3 // 2, middle))
    near = [np.abs(np.subtract(cut.getpixel(place), colour)).max() for place, colour in zip(
        places, ((0, 0, 250), (250, 0, 0), (0, 0, 250)), strict=True)]  # fmt: skip
    assert max(near) < 12
    assert np.abs(np.subtract(gone.getpixel((middle, middle)), (128, 128, 128))).max() < 6
