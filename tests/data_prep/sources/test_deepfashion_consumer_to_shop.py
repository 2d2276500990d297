import pytest

from data_prep.catalogue import ACCEPTED, make_catalogue
from data_prep.errors import ConfigError
from data_prep.sources.deepfashion_consumer_to_shop import read_rows
from data_prep.splits import SplitRule, assign_splits, settle_queries

TEE, LACE, DRESS = "img/TOPS/Tee/id_00000001", "img/TOPS/Lace_Shirt/id_00000001", "img/DRESSES/Dress/id_00000003"
ROWS = [
    f"{TEE}/comsumer_01.jpg   {TEE}/shop_01.jpg   id_00000001  train",
    f"{TEE}/comsumer_02.jpg   {TEE}/shop_01.jpg   id_00000001  train",
    f"{LACE}/comsumer_01.jpg  {LACE}/shop_01.jpg  id_00000001  val",
    f"{DRESS}/comsumer_01.jpg {DRESS}/shop_01.jpg id_00000003  test  ",
]
LIST = "Eval/list_eval_partition.txt"


def world(lay_out, rows=ROWS, count=None):
    header = "image_pair_name_1   image_pair_name_2   item_id evaluation_status"
    pictures = [f"{item}/{name}_01.jpg" for item in (TEE, LACE, DRESS) for name in ("comsumer", "shop")]
    return lay_out(pictures, {LIST: "\n".join([str(count or len(rows)), header, *rows]) + "\n"})


def test_pictures_of_pairs_count_once_and_the_class_is_the_folder_path(lay_out, seen):
    assert sorted(seen(read_rows(world(lay_out))), key=lambda row: row[1]) == [
        ("DRESSES/Dress/id_00000003", f"{DRESS}/comsumer_01.jpg", "test", "query", None),
        ("DRESSES/Dress/id_00000003", f"{DRESS}/shop_01.jpg", "test", "index", None),
        ("TOPS/Lace_Shirt/id_00000001", f"{LACE}/comsumer_01.jpg", "val", "query", None),
        ("TOPS/Lace_Shirt/id_00000001", f"{LACE}/shop_01.jpg", "val", "index", None),
        ("TOPS/Tee/id_00000001", f"{TEE}/comsumer_01.jpg", "train", "", None),
        ("TOPS/Tee/id_00000001", f"{TEE}/comsumer_02.jpg", "train", "", "missing file"),
        ("TOPS/Tee/id_00000001", f"{TEE}/shop_01.jpg", "train", "", None),
    ]


def test_a_cut_list_an_unknown_status_and_a_picture_in_two_splits_are_errors(lay_out):
    with pytest.raises(ConfigError, match="line 1 says '9' rows, found 4"):
        read_rows(world(lay_out, count=9))
    with pytest.raises(ConfigError, match="no evaluation_status 'query'; known: test, train, val"):
        read_rows(world(lay_out, [ROWS[0].replace("train", "query")]))
    with pytest.raises(ConfigError, match=r"shop_01.jpg' stands in two splits"):
        read_rows(world(lay_out, [ROWS[0], ROWS[1].replace("train", "test")]))


def test_the_rows_pass_the_splits_and_every_buyers_picture_finds_its_shops(lay_out):
    catalogue = make_catalogue(read_rows(world(lay_out)), "c2s", "apparel", "c2s")
    settled = settle_queries(assign_splits(catalogue, {"c2s": SplitRule("official")}, seed=0))
    asking = settled.filter(ACCEPTED, role="query").select("split", "class_key").rows()
    assert sorted(asking) == [("test", "DRESSES/Dress/id_00000003"), ("val", "TOPS/Lace_Shirt/id_00000001")]
