import pytest

from data_prep.errors import ConfigError
from data_prep.sources.fashion200k import KINDS, read_rows

ITEM = "women/dresses/casual_dresses/51727804"


def labels(**lines):
    names = [f"{kind}_{part}" for kind in KINDS for part in ("train", "test")]
    return {f"labels/{name}_detect_all.txt": lines.get(name, "") for name in names}


def test_the_lists_decide_and_the_class_is_the_product(lay_out, seen):
    lists = labels(
        dress_train=f"{ITEM}/51727804_0.jpeg\t0.95\tblue dress, knee length\n",
        dress_test=f"{ITEM}/51727804_1.jpeg\t0.9\tblue dress\n",
        top_train=f"{ITEM}/51727804_0.jpeg\t0.7\tblue top\n",  # listed twice: one picture
    )
    folder = lay_out([f"{ITEM}/51727804_0.jpeg", f"{ITEM}/poor_9.jpeg"], lists)
    assert seen(read_rows(folder)) == [
        ("51727804", f"{ITEM}/51727804_0.jpeg", "train", "", None),
        ("51727804", f"{ITEM}/51727804_1.jpeg", "train", "", "missing file"),
    ]


def test_all_lists_are_needed_and_cells_are_parted_by_tabs(lay_out):
    folder = lay_out([f"{ITEM}/1.jpeg"], labels(skirt_test=f"{ITEM}/1.jpeg 0.9 skirt\n"))
    with pytest.raises(ConfigError, match=r"skirt_test_detect_all.txt: got .*by tabs"):
        read_rows(folder)
    (folder / "labels/pants_test_detect_all.txt").unlink()
    with pytest.raises(ConfigError, match=r"no file .*pants_test_detect_all.txt; to get it"):
        read_rows(folder)
