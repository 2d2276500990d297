import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources import SOURCES
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


def test_with_an_index_test_images_only_ask_and_may_have_several_labels(lay_out, seen):
    text = lists(
        train=[entry("gldv2/images/train/a.jpg", 3)], val=[entry("gldv2/images/train/b.jpg", 4)],
        test=[entry("gldv2/images/test/c.jpg", [12, 99]), entry("gldv2/images/test/d.jpg", [12])],
    )  # fmt: skip
    text["info_files/index.json"] = json.dumps([entry("gldv2/images/index/e.jpg", 12)])
    folder = lay_out(["train/a.jpg", "train/b.jpg", "test/c.jpg", "index/e.jpg"], text)
    rows = read_uned_lists(folder, "gldv2/images/", "GLDv2")
    assert seen(rows) == [
        ("3", "train/a.jpg", "train", "", None),
        ("4", "train/b.jpg", "val", "both", None),
        ("12", "test/c.jpg", "test", "query", None),
        ("12", "test/d.jpg", "test", "query", "missing file"),
        ("12", "index/e.jpg", "test", "index", None),
    ]
    assert rows["more_class_keys"].to_list() == [[], [], ["99"], [], []]


@pytest.mark.parametrize(
    ("key", "prefix", "picture"),
    [
        ("stanford_cars", "cars/", "car_ims/000001.jpg"),
        ("stanford_products", "sop/", "chair_final/1_0.JPG"),
        ("deepfashion_inshop", "deepfashion/inshop/", "img/MEN/Denim/id_00000080/01_1_front.jpg"),
        ("gldv2", "gldv2/images/", "train/a/b/c/abc.jpg"),
        ("inat2018", "inat/iNaturalist/", "train_val2018/Aves/2820/ab12.jpg"),
        ("food2k", "food2k/", "Food2k_complete/17/1.jpg"),
        ("rp2k", "rp2k/", "all/test/a/1.jpg"),
    ],
)
def test_the_lists_decide_for_every_set_but_the_met(lay_out, seen, key, prefix, picture):
    folder = lay_out([picture], lists(val=[entry(prefix + picture, 5)]))
    assert seen(SOURCES[key].read_rows(folder)) == [("5", picture, "val", "both", None)]


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
