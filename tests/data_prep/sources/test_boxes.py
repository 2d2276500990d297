import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.boxes import box_rows, coco_box, corner_box, read_coco_boxes, read_voc_boxes, voc_box


def test_the_three_conventions_of_one_box():
    # Columns 10 to 49 and rows 20 to 89, counted from 0.
    assert corner_box([10, 20, 50, 90], "") == coco_box([10.0, 20.0, 40.0, 70.0], "") == [10, 20, 50, 90]
    assert voc_box(["11", "21", "50", "90"], "") == [10, 20, 50, 90]


@pytest.mark.parametrize("box", [None, [1, 2, 3], [1, 2, 3, None], ["a", 1, 2, 3], [1, 2, 3, float("nan")], 5])
def test_what_is_no_box_is_an_error_that_says_where(box):
    for convention in (corner_box, coco_box, voc_box):
        with pytest.raises(ConfigError, match=r"list\.json: got box .*, expected four finite numbers"):
            convention(box, "list.json")


def test_coco_boxes_come_by_picture(tmp_path):
    path = tmp_path / "list.json"
    tree = {
        "images": [{"id": 4, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}, {"id": 9, "file_name": "no.jpg"}],
        "annotations": [{"id": 3, "image_id": 3, "category_id": 7, "bbox": [1, 2, 3, 4]},
                        {"id": 4, "image_id": 4, "category_id": 8, "bbox": [5, 6, 7.5, 8]},
                        {"id": 9, "image_id": 3, "category_id": 7, "bbox": [0, 0, 1, 1]}],
    }  # fmt: skip
    path.write_text(json.dumps(tree))
    assert read_coco_boxes(path, "set") == [
        ("b.jpg", "8", [5, 6, 12.5, 14]), ("a.jpg", "7", [1, 2, 4, 6]), ("a.jpg", "7", [0, 0, 1, 1]),
        ("no.jpg", "", None),
    ]  # fmt: skip
    tree["annotations"][0]["image_id"] = 5
    path.write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match=r"list\.json: annotation 3 is of image 5, which is not listed"):
        read_coco_boxes(path, "set")


def test_voc_files(tmp_path):
    path = tmp_path / "1.xml"
    assert read_voc_boxes(path, "set") == []
    one = "<object><name>x</name><bndbox><xmin>1</xmin><ymin>3</ymin><xmax>5</xmax><ymax>7</ymax></bndbox></object>"
    path.write_text(f"<annotation>{one}{one}</annotation>")
    assert read_voc_boxes(path, "set") == 2 * [[0, 2, 5, 7]]
    path.write_text(f"<annotation>{one.replace('ymax', 'y')}</annotation>")
    with pytest.raises(ConfigError, match=r"1\.xml: got box .*None.*, expected four finite numbers"):
        read_voc_boxes(path, "set")
    path.write_text("<annotation>")
    with pytest.raises(ConfigError, match=r"1\.xml is not readable XML"):
        read_voc_boxes(path, "set")


def test_rows_without_a_box_are_rejects():
    rows = box_rows(["7", "x"], ["a.jpg", "b.jpg"], [[1, 2, 3, 4], None])
    assert rows.select("path", "split", "reject_reason", "box").rows() == [
        ("a.jpg", "train", None, [1, 2, 3, 4]), ("b.jpg", "train", "nothing annotated", None),
    ]  # fmt: skip
