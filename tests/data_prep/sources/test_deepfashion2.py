import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.deepfashion2 import read_rows


def annotation(pair, *garments):
    items = {f"item{n}": {"category_id": c, "style": style} for n, (c, style) in enumerate(garments, 1)}
    return json.dumps({"source": "user", "pair_id": pair, **items})


def test_a_single_garment_with_a_style_is_an_identity(lay_out, seen):
    lists = {
        "train/annos/000001.json": annotation(1, (1, 1)),
        "train/annos/000002.json": annotation(1, (1, 2)),  # another style of the pair: another garment
        "train/annos/000003.json": annotation(1, (1, 0)),
        "train/annos/000004.json": annotation(1, (1, 1), (8, 1)),
        "train/annos/000005.json": annotation(2, (1, 1)),
    }
    pictures = [f"train/image/00000{n}.jpg" for n in range(1, 5)]
    assert seen(read_rows(lay_out(pictures, lists))) == [
        ("1/1/1", pictures[0], "train", "", None),
        ("1/1/2", pictures[1], "train", "", None),
        ("unpaired-000003", pictures[2], "train", "", "garment without an identity"),
        ("uncropped-000004", pictures[3], "train", "", "several things in one picture"),
        ("2/1/1", "train/image/000005.jpg", "train", "", "missing file"),
    ]


def test_no_annotations(lay_out):
    with pytest.raises(ConfigError, match=r"no annotations in .*; to get them: ask for the password"):
        read_rows(lay_out(["train/image/1.jpg", "train/annos/readme.txt"]))
