import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.rpc import read_boxes, read_rows


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


def test_products_of_the_counter_are_cut_out_where_its_lists_are_there(lay_out, boxes_seen):
    image = [{"id": 1, "file_name": "a.jpg"}]
    boxes = [{"image_id": 1, "category_id": c, "bbox": [10.0 * c, 20.0, 30.0, 40.0]} for c in (1, 2)]
    train, counter = ({"images": image, "annotations": found} for found in (boxes[:1], boxes))
    lists = {"instances_train2019.json": json.dumps(train), "instances_test2019.json": json.dumps(counter)}
    assert boxes_seen(read_boxes(lay_out(["train2019/a.jpg", "test2019/a.jpg", "val2019/a.jpg"], lists))) == [
        ("1", "train2019/a.jpg#box=10,20,40,60", None),
        ("1", "test2019/a.jpg#box=10,20,40,60", None),
        ("2", "test2019/a.jpg#box=20,20,50,60", None),
    ]


def test_a_list_of_the_counter_needs_its_pictures(lay_out):
    lists = coco((1, 7)) | {"instances_val2019.json": "{}"}
    with pytest.raises(ConfigError, match="annotation None: got box None"):
        read_boxes(lay_out(["train2019/a.jpg"], lists))
    train = {"images": [], "annotations": []}
    with pytest.raises(ConfigError, match=r"no folder .*val2019"):
        read_boxes(lay_out(["train2019/a.jpg"], lists | {"instances_train2019.json": json.dumps(train)}))
