import json

import pytest

from data_prep.catalogue import make_catalogue
from data_prep.errors import ConfigError
from data_prep.sources.met import read_rows
from data_prep.splits import SplitRule, assign_splits, settle_queries

DATABASE = [
    {"id": 0, "path": "MET/0/0.jpg"},
    {"id": 123, "path": "MET/123/0.jpg"},
    {"id": 123, "path": "MET/123/1.jpg"},
]
TEST = [
    {"path": "test_met/x.jpg", "MET_id": 123},
    {"path": "test_met/zero.jpg", "MET_id": 0},  # a number that is false is an exhibit all the same
    {"path": "test_other/x.jpg"},
    {"path": "test_noart/gone.jpg"},
]
VAL = [{"path": "test_met/v.jpg", "MET_id": 123}]


def world(folder, place="ground_truth"):
    (folder / place).mkdir(exist_ok=True)
    for name, rows in {"MET_database": DATABASE, "testset": TEST, "valset": VAL}.items():
        (folder / place / f"{name}.json").write_text(json.dumps(rows))
    for row in DATABASE + TEST + VAL:
        path = folder / "images" / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if row["path"] not in ("MET/123/1.jpg", "test_noart/gone.jpg"):
            path.touch()
    return folder


@pytest.mark.parametrize("place", ["ground_truth", "."])
def test_rows(tmp_path, place):
    rows = read_rows(world(tmp_path, place))
    assert rows.select("class_key", "path", "split", "role", "reject_reason").rows() == [
        ("0", "images/MET/0/0.jpg", "", "index", None),
        ("123", "images/MET/123/0.jpg", "", "index", None),
        ("123", "images/MET/123/1.jpg", "", "index", "missing file"),
        ("123", "images/test_met/x.jpg", "", "query", None),
        ("0", "images/test_met/zero.jpg", "", "query", None),
        ("distractor", "images/test_other/x.jpg", "", "query", "query without a MET_id"),
        ("distractor", "images/test_noart/gone.jpg", "", "query", "query without a MET_id"),
        ("123", "images/test_met/v.jpg", "", "query", None),
    ]


def test_divided_by_class_visitors_ask_and_the_museum_answers(tmp_path):
    catalogue = make_catalogue(read_rows(world(tmp_path)), "met", "artwork", "met")
    rules = {"met": SplitRule("by_class", test_fraction=1.0)}
    settled = settle_queries(assign_splits(catalogue, rules, seed=0))
    scored = settled.filter(split="test").select("class_key", "role").unique().sort("class_key", "role").rows()
    assert scored == [("0", "index"), ("0", "query"), ("123", "index"), ("123", "query")]
    train = settle_queries(assign_splits(catalogue, {"met": SplitRule("by_class")}, seed=0))
    assert train["role"].unique().to_list() == [""]


@pytest.mark.parametrize("gone", ["images/MET", "images/test_met"])
def test_a_missing_folder_of_pictures(tmp_path, gone):
    (world(tmp_path) / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=f"no folder .*/{gone}; to get it: "):
        read_rows(tmp_path)


def test_a_missing_list_names_both_places(tmp_path):
    (world(tmp_path) / "ground_truth/testset.json").unlink()
    with pytest.raises(ConfigError, match=r"no testset.json, looked for .*ground_truth/testset.json, .*/testset.json"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{", "not readable JSON"),
        ('{"id": 1}', "got dict, expected a list"),
        ('[{"path": "MET/1/0.jpg"}]', "entry 0: got .* expected id, path"),
    ],
)
def test_a_list_that_is_not_what_it_should_be(tmp_path, text, message):
    (world(tmp_path) / "ground_truth/MET_database.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_rows(tmp_path)
