import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.rpc import read_rows


def coco(*image_and_category):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    annotations = [{"image_id": image, "category_id": category} for image, category in image_and_category]
    return {"instances_train2019.json": json.dumps({"images": images, "annotations": annotations})}


def test_single_products_are_read_and_checkout_scenes_left_out(lay_out, seen):
    folder = lay_out(["train2019/a.jpg", "val2019/scene.jpg"], coco((2, 200), (1, 7)))
    assert seen(read_rows(folder)) == [
        ("7", "train2019/a.jpg", "train", "", None),
        ("200", "train2019/b.jpg", "train", "", "missing file"),
    ]


def test_a_picture_of_two_products_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"a.jpg has 2 products, expected one"):
        read_rows(lay_out(["train2019/a.jpg"], coco((1, 7), (1, 7), (2, 7))))
