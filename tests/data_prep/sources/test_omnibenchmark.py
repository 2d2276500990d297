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


def test_no_realm_and_no_records(lay_out):
    with pytest.raises(ConfigError, match=r"no <realm>/<realm>.train in"):
        read_rows(lay_out(["car/train/a.jpg"]))
    with pytest.raises(ConfigError, match=r"no record.txt, looked for .*car.train"):
        read_rows(lay_out(["car/car.train/images/a.jpg"]))
