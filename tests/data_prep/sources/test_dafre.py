import pytest

from data_prep.errors import ConfigError
from data_prep.sources.dafre import read_rows

PATHS = {"train": "3,0003/10.jpg\n", "val": "3,0003/11.jpg\n", "test": "0,0000/1.jpg\n"}
LISTS = {f"labels/{part}.csv": text for part, text in PATHS.items()}


@pytest.mark.parametrize("pictures", ["faces", "fullMin256"])
def test_the_number_comes_first_and_there_is_no_header(lay_out, seen, pictures):
    assert seen(read_rows(lay_out([f"{pictures}/0003/10.jpg", f"{pictures}/0000/1.jpg"], LISTS))) == [
        ("3", f"{pictures}/0003/10.jpg", "train", "", None),
        ("3", f"{pictures}/0003/11.jpg", "train", "", "missing file"),
        ("0", f"{pictures}/0000/1.jpg", "train", "", None),
    ]


def test_no_pictures_and_a_list_the_other_way_round(lay_out):
    with pytest.raises(ConfigError, match="neither faces nor fullMin256 in"):
        read_rows(lay_out(lists=LISTS))
    with pytest.raises(ConfigError, match="expected a class number and a path"):
        read_rows(lay_out(["faces/a.jpg"], LISTS | {"labels/val.csv": "0003/11.jpg,3\n"}))
