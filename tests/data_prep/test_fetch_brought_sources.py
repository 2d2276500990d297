"""Every data set that a person has to bring: what may stay packed is unpacked into the layout that its reader reads."""

import pytest

from data_prep.download import Patience
from data_prep.errors import ConfigError
from data_prep.fetch import fetch_source
from data_prep.sources import SOURCES
from data_prep.sources.source import ByRequest

QUICK = Patience(max_tries=2, first_wait_s=0.001)
HOW_PACKED = ("as published", "in another folder", "without their folder")
C2S_LIST = b"""1
image_pair_name_1 image_pair_name_2 item_id evaluation_status
img/TOPS/Tee/id_1/comsumer_01.jpg img/TOPS/Tee/id_1/shop_01.jpg id_1 train
"""
INSHOP_LIST = b"1\nimage_name item_id evaluation_status\nimg/MEN/Denim/id_1/01_1_front.jpg id_1 train\n"


def pictures(*paths):
    return {path: path.encode() for path in paths}


# key: (archives that may stay packed, files that lie open, class keys)
BROUGHT = {
    "compcars": ({}, pictures("data/image/78/1/2014/a.jpg"), {"78/1/2014"}),
    "dafre": ({
        "labels.tar.gz": {f"labels/{part}.csv": b"" if part == "val" else f"7,7/{part}.jpg\n".encode()
                          for part in ("train", "val", "test")},
        "dafre_faces.tar.gz": pictures("dafre_faces/faces/7/train.jpg", "dafre_faces/faces/7/test.jpg"),
    }, {}, {"7"}),
    "deepfashion2": ({}, {
        "train/annos/000001.json": b'{"pair_id": 1, "item1": {"category_id": 2, "style": 3}}',
        "train/image/000001.jpg": b"1",
    }, {"1/2/3"}),
    "deepfashion_consumer_to_shop": (
        {"img.zip": pictures("img/TOPS/Tee/id_1/comsumer_01.jpg", "img/TOPS/Tee/id_1/shop_01.jpg")},
        {"Eval/list_eval_partition.txt": C2S_LIST}, {"TOPS/Tee/id_1"},
    ),
    "deepfashion_inshop": (
        {"img.zip": pictures("img/MEN/Denim/id_1/01_1_front.jpg")},
        {"Eval/list_eval_partition.txt": INSHOP_LIST}, {"id_1"},
    ),
    "food2k": (
        {"Food2k_complete.tar.gz": pictures("Food2k_complete/0/1.jpg", "Food2k_complete/17/1.jpg")}, {}, {"0", "17"},
    ),
    "imaterialist_furniture": (
        {"imaterialist-challenge-furniture-2018.zip": {
            f"{part}.json": b'{"annotations": [{"image_id": 1, "label_id": 5}]}' for part in ("train", "validation")
        }},
        pictures("train/1.jpg", "validation/1.jpg"), {"5"},
    ),
    "logo2k_plus": ({}, {
        "train.txt": b"Food/Cup Co/1.jpg\n", "test.txt": b"Food/Cup Co/2.jpg\n",
        **pictures("Food/Cup Co/1.jpg", "Food/Cup Co/2.jpg"),
    }, {"Food/Cup Co"}),
    "mafood121": ({}, {
        "train.txt": b"a/1.jpg\n", "train_lbls_d.txt": b"3\n", "test.txt": b"a/2.jpg\n", "test_lbls_d.txt": b"3\n",
        **pictures("images/a/1.jpg", "images/a/2.jpg"),
    }, {"3"}),
    "omnibenchmark": (
        {"omnibenchmark_v2_onedrive.tar.gz": {
            "omnibenchmark_v2_onedrive/food/food.train/record.txt": b"images/1.jpg 0\n",
            "omnibenchmark_v2_onedrive/food/food.train/images/1.jpg": b"1",
            "omnibenchmark_v2_onedrive/car/car.train/records.txt": b"images/2.jpg 0\n",
            "omnibenchmark_v2_onedrive/car/car.train/images/2.jpg": b"2",
        }}, {}, {"food/0", "car/0"},
    ),
    "stanford_products": ({"Stanford_Online_Products.zip": {
        "Stanford_Online_Products/Ebay_train.txt": b"image_id class_id super_class_id path\n1 1 1 a_final/1_0.JPG\n",
        "Stanford_Online_Products/Ebay_test.txt": b"image_id class_id super_class_id path\n",
        "Stanford_Online_Products/a_final/1_0.JPG": b"1",
    }}, {}, {"1"}),
    "vmmrdb": ({"VMMRdb.zip": pictures("VMMRdb/acura_cl_1997/1.jpg", "VMMRdb/bmw_3 series_2001/1.jpg")}, {},
               {"acura_cl_1997", "bmw_3 series_2001"}),
}


def test_no_known_data_set_is_left_out():
    assert set(BROUGHT) == {key for key, source in SOURCES.items() if isinstance(source.fetch_plan, ByRequest)}


@pytest.mark.parametrize("how", HOW_PACKED)
@pytest.mark.parametrize("key", sorted(BROUGHT))
def test_what_is_brought_lies_as_its_reader_reads_it(key, how, packed, tmp_path):
    source, (archives, files, class_keys) = SOURCES[key], BROUGHT[key]
    folder = tmp_path / "raw" / source.raw_dir
    with pytest.raises(ConfigError, match=r"cannot be fetched by a program") as caught:
        fetch_source(source, tmp_path / "raw", QUICK)
    assert source.fetch_plan.ask in str(caught.value) and f"put it:  into {folder}" in str(caught.value)
    assert all(archive.name in str(caught.value) for archive in source.fetch_plan.archives)
    assert "now missing: " in str(caught.value) and "to get it" not in str(caught.value)  # said once
    contents = {name: packed(how, name, members) for name, members in archives.items()}
    for name, content in {**contents, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    counts = fetch_source(source, tmp_path / "raw", QUICK)
    rows = source.read_rows(folder)
    assert counts["missing"] == 0 and set(rows["class_key"]) == class_keys
    assert all((folder / name).is_file() for name in archives)  # what a person brought stays


def test_whole_drawings_of_dafre_lie_where_its_reader_looks_without_faces(packed, tmp_path):
    folder = tmp_path / "dafre"
    folder.mkdir()
    lists = BROUGHT["dafre"][0]["labels.tar.gz"]
    drawings = {"dafre_full/7/train.jpg": b"1", "dafre_full/7/test.jpg": b"2"}
    for name, members in {"labels.tar.gz": lists, "dafre_full.tar.gz": drawings}.items():
        (folder / name).write_bytes(packed(HOW_PACKED[0], name, members))
    assert fetch_source(SOURCES["dafre"], tmp_path, QUICK) == {"listed": 2, "missing": 0}
