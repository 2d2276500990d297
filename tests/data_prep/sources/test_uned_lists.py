import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.uned_lists import escaped, has_uned_lists, read_uned_lists


def lists(**by_split):
    return {f"info_files/{split}.json": json.dumps(by_split.get(split, [])) for split in ("train", "val", "test")}


def entry(path, class_id):
    return {"path": path, "class_id": class_id}


def test_the_lists_decide_split_role_and_class(lay_out, seen):
    text = lists(
        train=[entry("rp2k/all/test/a/1.jpg", 0)], val=[entry("rp2k/all/train/b/1.jpg", 5)],
        test=[entry("rp2k/all/train/b/2.jpg", 7)],
    )  # fmt: skip
    folder = lay_out(["all/test/a/1.jpg", "all/train/b/1.jpg", "all/train/b/not_listed.jpg"], text)
    assert has_uned_lists(folder)
    assert seen(read_uned_lists(folder, "rp2k/", "RP2K")) == [
        ("0", "all/test/a/1.jpg", "train", "", None),
        ("5", "all/train/b/1.jpg", "val", "both", None),
        ("7", "all/train/b/2.jpg", "test", "both", "missing file"),
    ]


def test_names_that_unzip_has_escaped_are_found(lay_out):
    assert escaped("红茶é/1.jpg") == "#U7ea2#U8336#U00e9/1.jpg"
    folder = lay_out(["all/#U8336/1.jpg"], lists(train=[entry("rp2k/all/茶/1.jpg", 1)]))
    assert read_uned_lists(folder, "rp2k/", "RP2K")["path"].to_list() == ["all/#U8336/1.jpg"]


def test_no_list_a_list_of_another_set_and_a_broken_one(lay_out):
    folder = lay_out(lists=lists(val=[entry("cars/car_ims/1.jpg", 1)]))
    with pytest.raises(ConfigError, match=r"val.json: got 'cars/car_ims/1.jpg', expected paths that start with 'rp2k/"):
        read_uned_lists(folder, "rp2k/", "RP2K")
    (folder / "info_files/val.json").write_text('[{"path": "rp2k/x"}]')
    with pytest.raises(ConfigError, match="expected a list of path and class_id"):
        read_uned_lists(folder, "rp2k/", "RP2K")
    (folder / "info_files/val.json").unlink()
    with pytest.raises(ConfigError, match=r"no file .*val.json; to get it: .*info_files.zip"):
        read_uned_lists(folder, "rp2k/", "RP2K")
