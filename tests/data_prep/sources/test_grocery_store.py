import pytest

from data_prep.errors import ConfigError
from data_prep.sources.grocery_store import read_rows

KIWI, TEST_KIWI, MILK = (
    "train/Fruit/Kiwi/Kiwi_001.jpg", "test/Fruit/Kiwi/Kiwi_001.jpg", "val/Packages/Milk/Arla/Arla_001.jpg",
)  # fmt: skip


def test_cells_are_parted_by_comma_and_space_and_the_class_is_the_fine_one(lay_out, seen):
    lists = {
        "dataset/train.txt": f"{KIWI}, 11, 6\n", "dataset/val.txt": f"{MILK}, 60, 6\n",
        "dataset/test.txt": f"{TEST_KIWI}, 11, 6\n",
    }  # fmt: skip
    iconic = "dataset/iconic-images-and-descriptions/Kiwi/Kiwi_Iconic.jpg"
    assert seen(read_rows(lay_out([f"dataset/{KIWI}", f"dataset/{MILK}", iconic], lists))) == [
        ("11", f"dataset/{KIWI}", "train", "", None),
        ("60", f"dataset/{MILK}", "train", "", None),
        ("11", f"dataset/{TEST_KIWI}", "train", "", "missing file"),
    ]


def test_a_line_of_another_list_is_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"train.txt: got 'a.jpg, 1', expected path, fine class, coarse class"):
        read_rows(lay_out(lists={"dataset/train.txt": "a.jpg, 1\n"}))
