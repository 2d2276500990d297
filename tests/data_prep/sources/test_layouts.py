import pytest

from data_prep.errors import ConfigError
from data_prep.sources.layouts import (
    list_files,
    mark_missing_files,
    read_text_csv,
    require_file,
    require_folder,
)
from data_prep.sources.source import MISSING_FILE, source_rows


def test_missing_folders_and_files_say_what_where_and_how_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match=r"Cars: no folder .*cars_train; to get it: ask Stanford"):
        require_folder(tmp_path / "cars_train", "Cars", "ask Stanford")
    with pytest.raises(ConfigError, match=r"Cars: no file .*annos\.mat$"):
        require_file(tmp_path / "annos.mat", "Cars")
    assert require_folder(tmp_path, "x") == tmp_path


def test_csv_values_stay_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,n,x\n0012,1,\nNone,2e5,NaN\n")
    table = read_text_csv(path, ["id", "x"], "list")
    assert table.rows() == [("0012", ""), ("None", "NaN")]


def test_a_missing_column_is_one_error_with_the_columns_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,label\na,b\n")
    with pytest.raises(ConfigError, match=r"no column 'path', 'class'; columns there: name, label"):
        read_text_csv(path, ["path", "name", "class"], "list")


def test_an_empty_csv_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ConfigError, match="not a readable CSV"):
        read_text_csv(tmp_path / "a.csv", ["a"], "list")


def test_missing_files_become_rejects_and_earlier_reasons_stay(tmp_path):
    (tmp_path / "a.jpg").touch()
    rows = source_rows(["1", "1"], ["a.jpg", "b.jpg"])
    assert mark_missing_files(rows, tmp_path)["reject_reason"].to_list() == [None, MISSING_FILE]


def test_files_are_listed_sorted_whatever_their_suffix_without_hidden_ones(tmp_path):
    for name in ("b/1.JPG", "a/x/2", "a/.DS_Store", ".git/c.jpg", "Z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path) == ["Z.png", "a/x/2", "b/1.JPG"]
