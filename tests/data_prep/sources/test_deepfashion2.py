import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.deepfashion2 import read_boxes, read_rows


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


def test_each_garment_is_cut_out_by_its_corners(lay_out, boxes_seen):
    garments = {
        "item1": {"category_id": 1, "style": 1, "bounding_box": [9, 12, 150, 170]},
        "item2": {"category_id": 8, "style": 0, "bounding_box": [160, 20, 300, 180]},
        "item10": {"category_id": 8, "style": 2, "bounding_box": [1, 2, 3, 4]},
    }
    lists = {f"train/annos/{n}.json": json.dumps({"pair_id": n, **garments}) for n in (1, 2)}
    assert boxes_seen(read_boxes(lay_out(["train/image/1.jpg"], lists))) == [
        ("1/1/1", "train/image/1.jpg#box=9,12,150,170", None),
        ("unpaired-1", "train/image/1.jpg#box=160,20,300,180", "garment without an identity"),
        ("1/8/2", "train/image/1.jpg#box=1,2,3,4", None),
        ("2/1/1", "train/image/2.jpg#box=9,12,150,170", "missing file"),
        ("unpaired-2", "train/image/2.jpg#box=160,20,300,180", "garment without an identity"),
        ("2/8/2", "train/image/2.jpg#box=1,2,3,4", "missing file"),
    ]
    with pytest.raises(ConfigError, match=r"3\.json: got box None, expected four finite numbers"):
        read_boxes(lay_out([], {"train/annos/3.json": annotation(1, (1, 1))}))


def test_no_annotations(lay_out):
    with pytest.raises(ConfigError, match=r"no annotations in .*; to get them: ask for the password"):
        read_rows(lay_out(["train/image/1.jpg", "train/annos/readme.txt"]))
