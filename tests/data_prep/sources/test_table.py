import polars as pl
import pytest

from data_prep.errors import ConfigError
from data_prep.sources.source import MISSING_FILE
from data_prep.sources.table import TableOptions, read_rows

CSV = """domain,class,image,split,role
toys,0007,toys/a.jpg,train,
toys,0007,toys/b.jpg,train,
toys,8,toys/c.jpg,test,query
places,9,places/d.jpg,val,index
"""
COLUMNS = {"path_column": "image", "class_column": "class"}


@pytest.fixture
def folder(tmp_path):
    for name in ("toys/a.jpg", "toys/c.jpg", "places/d.jpg"):  # b.jpg is missing
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "m.csv").write_text(CSV)
    pl.read_csv(tmp_path / "m.csv", infer_schema=False).write_parquet(tmp_path / "m.parquet")
    return tmp_path


@pytest.mark.parametrize("file", ["m.csv", "m.parquet"])
def test_columns_are_mapped_and_rows_filtered(folder, file):
    options = TableOptions(
        file=file, split_column="split", role_column="role", where={"domain": "toys"}, **COLUMNS
    )
    columns = ("class_key", "path", "split", "role", "reject_reason")
    assert read_rows(folder, options).select(columns).rows() == [
        ("0007", "toys/a.jpg", "train", "", None),
        ("0007", "toys/b.jpg", "train", "", MISSING_FILE),
        ("8", "toys/c.jpg", "test", "query", None),
    ]


def test_without_a_role_column_val_and_test_images_ask_and_answer(folder):
    rows = read_rows(folder, TableOptions(file="m.csv", split_column="split", **COLUMNS))
    assert rows["role"].to_list() == ["", "", "both", "both"]


def test_without_a_split_column_nothing_is_decided(folder):
    rows = read_rows(folder, TableOptions(file="m.csv", **COLUMNS))
    assert set(rows["split"]) == set(rows["role"]) == {""}


def test_numbers_in_parquet_become_text(tmp_path):
    pl.DataFrame({"path": ["a"], "class_key": [7]}).write_parquet(tmp_path / "m.parquet")
    assert read_rows(tmp_path, TableOptions(file="m.parquet"))["class_key"].to_list() == ["7"]


@pytest.mark.parametrize("file", ["m.csv", "m.parquet"])
def test_a_missing_column_is_one_error_with_the_columns_there(folder, file):
    with pytest.raises(
        ConfigError, match=r"no column 'path', 'class_key'; columns there: domain, class, image"
    ):
        read_rows(folder, TableOptions(file=file))


def test_a_filter_that_keeps_nothing_names_the_values_there(folder):
    with pytest.raises(ConfigError, match=r"no row with domain = 'toy', did you mean 'toys'\?; known: places, toys"):
        read_rows(folder, TableOptions(file="m.csv", where={"domain": "toy"}, **COLUMNS))


def test_no_table_an_unknown_format_and_a_broken_file(folder):
    with pytest.raises(ConfigError, match=r"no file .*x\.csv"):
        read_rows(folder, TableOptions(file="x.csv", **COLUMNS))
    with pytest.raises(ConfigError, match=r"no table format '\.xlsx'; known: \.csv, \.parquet"):
        read_rows(folder, TableOptions(file="x.xlsx", **COLUMNS))
    (folder / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ConfigError, match="not a readable parquet"):
        read_rows(folder, TableOptions(file="bad.parquet", **COLUMNS))
