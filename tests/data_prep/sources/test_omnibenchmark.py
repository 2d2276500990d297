import pytest

from data_prep.errors import ConfigError
from data_prep.sources.omnibenchmark import read_rows


def test_ids_are_of_their_realm_and_records_are_called_in_two_ways(lay_out, seen):
    lists = {
        "car/car.train/record.txt": "images/a b.jpg 0\n",
        "car/car.val/records.txt": "c.jpg 0\n",
        "food/food.test/record.txt": "a b.jpg 0\n",
    }
    pictures = ["car/car.train/images/a b.jpg", "car/car.val/images/c.jpg", "car/trainid2name_car.json"]
    assert seen(read_rows(lay_out(pictures, lists))) == [
        ("car/0", "car/car.train/images/a b.jpg", "train", "", None),
        ("car/0", "car/car.val/images/c.jpg", "train", "", None),
        ("food/0", "food/food.test/images/a b.jpg", "train", "", "missing file"),
    ]


def test_a_picture_recorded_again_is_one_row_and_paths_may_begin_with_the_part(lay_out, seen):
    lists = {"car/car.val/record.txt": "val/images/a.jpg 3\nimages/b.jpg 3\na.jpg 3\nimages/b.jpg 0\n"}
    rows = read_rows(lay_out(["car/car.val/images/a.jpg", "car/car.val/images/b.jpg"], lists))
    assert seen(rows) == [
        ("car/3", "car/car.val/images/a.jpg", "train", "", None),
        ("car/3", "car/car.val/images/b.jpg", "train", "", None),
    ]
    assert rows["more_class_keys"].to_list() == [[], ["car/0"]]


def test_no_realm_and_no_records(lay_out):
    with pytest.raises(ConfigError, match=r"no <realm>/<realm>.train in"):
        read_rows(lay_out(["car/train/a.jpg"]))
    with pytest.raises(ConfigError, match=r"no record.txt, looked for .*car.train"):
        read_rows(lay_out(["car/car.train/images/a.jpg"]))
