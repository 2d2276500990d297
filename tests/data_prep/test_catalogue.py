import polars as pl
import pytest

from data_prep.catalogue import (
    CATALOGUE_SCHEMA,
    check_catalogue,
    count_by_source,
    count_rejects,
    make_catalogue,
    reject,
)
from data_prep.errors import ConfigError
from data_prep.sources.source import source_rows


def catalogue(paths=("a.jpg", "b.jpg"), class_keys=("007", "8"), raw_dir="cars", **columns):
    rows = source_rows(list(class_keys), list(paths), splits="train")
    return make_catalogue(rows, "cars", "cars", raw_dir).with_columns(
        **{k: pl.Series(v) for k, v in columns.items()}
    )


def test_paths_become_relative_to_the_raw_root():
    assert catalogue()["path"].to_list() == ["cars/a.jpg", "cars/b.jpg"]
    assert catalogue(raw_dir=".")["path"].to_list() == ["a.jpg", "b.jpg"]
    assert catalogue(raw_dir="x/y/")["path"].to_list() == ["x/y/a.jpg", "x/y/b.jpg"]


def test_columns_and_types_are_the_contract_and_keys_stay_text():
    table = catalogue()
    assert dict(table.schema) == CATALOGUE_SCHEMA
    assert table["class_key"].to_list() == ["007", "8"]
    check_catalogue(table, "here")


def test_the_first_reject_reason_stays_and_no_row_goes():
    table = reject(catalogue(), pl.col("path") == "cars/a.jpg", "truncated", "5 of 9 bytes")
    table = reject(table, pl.lit(True), "over class cap", pl.lit("cap ") + pl.col("class_key"))
    assert table.height == 2
    assert table.select("reject_reason", "reject_detail").rows() == [
        ("truncated", "5 of 9 bytes"),
        ("over class cap", "cap 8"),
    ]


def test_a_null_condition_rejects_nothing():
    table = reject(catalogue(), pl.lit(None, dtype=pl.Boolean), "x")
    assert table["reject_reason"].null_count() == 2


def test_counts():
    table = reject(catalogue(("a", "b", "c"), ("1", "1", "2")), pl.col("class_key") == "2", "animated")
    assert count_by_source(table) == {"cars": {"images": 2, "classes": 1}}
    assert count_rejects(table) == {"animated": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"split": ["train", "dev"]}, "split: 1 row(s) wrong, first cars: 'cars/b.jpg': got 'dev'"),
        ({"role": ["gallery", ""]}, "got 'gallery', expected one of query, index, both"),
        ({"class_key": ["", "8"]}, "class_key: 1 row(s) wrong"),
        ({"class_key": [None, "8"]}, "got None, expected some text"),
        ({"path": ["/etc/a.jpg", "b"]}, "relative to the raw root"),
        ({"path": ["../../etc/a.jpg", "b"]}, "relative to the raw root"),
        ({"path": ["a..b/..c.jpg", "x/.."]}, "path: 1 row(s) wrong, first cars: 'x/..'"),
        ({"path": ["b", "b"]}, "1 path(s) listed more than once, first cars: 'b' (2 times)"),
        ({"class_key": [1, 2]}, "column 'class_key': got type Int64, expected String"),
    ],
)
def test_each_mistake_is_named(columns, message):
    with pytest.raises(ConfigError) as caught:
        check_catalogue(catalogue(**columns), "the table")
    assert message in str(caught.value)
    assert "the table" in str(caught.value)


def test_missing_and_extra_columns_are_named_together():
    with pytest.raises(ConfigError, match=r"(?s)'sha256' is missing.*'colour' is not one"):
        check_catalogue(catalogue(colour=["r", "g"]).drop("sha256"), "t")
