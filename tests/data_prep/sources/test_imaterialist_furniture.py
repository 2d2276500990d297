import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.imaterialist_furniture import read_rows


def listed(*image_and_label):
    images = [{"image_id": image, "url": [f"http://x/{image}"]} for image, _ in image_and_label]
    annotations = [{"image_id": image, "label_id": label} for image, label in image_and_label]
    return json.dumps({"images": images, "annotations": annotations})


def test_numbers_start_anew_in_each_list_and_dead_addresses_are_counted(lay_out, seen):
    lists = {"train.json": listed((1, 5), (2, 128)), "validation.json": listed((1, 9))}
    assert seen(read_rows(lay_out(["train/1.jpg", "validation/1.jpg"], lists))) == [
        ("5", "train/1.jpg", "train", "", None),
        ("128", "train/2.jpg", "train", "", "missing file"),
        ("9", "validation/1.jpg", "train", "", None),
    ]


def test_the_test_list_has_no_annotations(lay_out):
    with pytest.raises(ConfigError, match="no 'annotations'; there: images"):
        read_rows(lay_out(["train/1.jpg"], {"train.json": '{"images": []}'}))
