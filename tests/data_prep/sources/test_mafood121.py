import pytest

from data_prep.errors import ConfigError
from data_prep.sources.mafood121 import read_rows

LISTS = {
    "train.txt": "paella/1.jpg\nsushi/1.jpg\n", "train_lbls_d.txt": "3\n0\n", "test.txt": "sushi/2.jpg\n",
    "test_lbls_d.txt": "0\n", "train_lbls_f.txt": "1 4\n2\n",
}  # fmt: skip


@pytest.mark.parametrize("place", ["", "annotations/"])
def test_labels_follow_the_list_line_by_line(lay_out, seen, place):
    lists = {f"{place}{name}": text for name, text in LISTS.items()}
    assert seen(read_rows(lay_out(["images/paella/1.jpg", "images/sushi/2.jpg"], lists))) == [
        ("3", "images/paella/1.jpg", "train", "", None),
        ("0", "images/sushi/1.jpg", "train", "", "missing file"),
        ("0", "images/sushi/2.jpg", "train", "", None),
    ]


def test_labels_of_another_list_are_an_error(lay_out):
    with pytest.raises(ConfigError, match=r"train.txt has 2 lines, its labels 1"):
        read_rows(lay_out(["images/a"], LISTS | {"train_lbls_d.txt": "3\n"}))


def test_val_may_be_there(lay_out):
    folder = lay_out(["images/a"], LISTS | {"val.txt": "sushi/3.jpg\n", "val_lbls_d.txt": "0\n"})
    assert "images/sushi/3.jpg" in read_rows(folder)["path"].to_list()


def test_no_list_names_both_places(lay_out):
    with pytest.raises(ConfigError, match=r"no train.txt, looked for .*annotations/train.txt, .*; to get it"):
        read_rows(lay_out(["images/a"]))
