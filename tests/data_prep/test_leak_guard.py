import polars as pl
import pytest

from data_prep.catalogue import make_catalogue, reject
from data_prep.errors import ConfigError
from data_prep.leak_guard import LEAKED, evaluation_hashes, read_guards, reject_guarded, reject_near_leaks
from data_prep.near_duplicates import hash_neighbours
from data_prep.sources.source import source_rows

A, B = "a" * 64, "b" * 64


def catalogue(rows, source="s"):
    """Rows are (path, class_key, sha256, phash, split)."""
    paths, keys, sha256, phash, splits = zip(*rows, strict=True)
    table = make_catalogue(source_rows(keys, paths, splits), source, "d", ".")
    return table.with_columns(sha256=pl.Series(sha256, dtype=pl.String), phash=pl.Series(phash, dtype=pl.UInt64))


def near_of(table, max_bits=2, more=()):
    return hash_neighbours(pl.concat([table["phash"], pl.Series(more, dtype=pl.UInt64)]), max_bits)


def details(table):
    rows = table.filter(pl.col("reject_reason").is_not_null())
    assert set(rows["reject_reason"]) <= {LEAKED, "by hand"}
    return dict(rows.select("path", "reject_detail").iter_rows())


def guard_file(tmp_path, name="guard.parquet", **columns):
    are_numbers = all(not isinstance(value, str) for value in columns.get("phash", ["none"]))
    table = pl.DataFrame(columns, schema_overrides={"phash": pl.UInt64} if are_numbers else None)
    (table.write_csv if name.endswith("csv") else table.write_parquet)(tmp_path / name)
    return str(tmp_path / name)


def test_train_goes_before_val_and_val_before_test_in_any_source_and_class():
    table = catalogue([
        ("a", "1", None, 0, "train"), ("b", "2", None, 1, "test"), ("c", "3", None, 0xFF00, "train"),
        ("d", "4", None, 0xFF01, "val"), ("e", "5", None, 3, "val"), ("f", "6", None, 0xF0F0F0, "train"),
        ("g", "7", None, None, "train"),
    ])  # fmt: skip
    other = catalogue([("h", "1", None, 1, "train")], "other")
    table = pl.concat([table, other])
    assert details(reject_near_leaks(table, near_of(table))) == {
        "a": "1 bits from test: b", "e": "1 bits from test: b", "c": "1 bits from val: d", "h": "0 bits from test: b",
    }  # fmt: skip


def test_a_val_picture_that_went_protects_nothing():
    table = catalogue([("a", "1", None, 0b1111, "train"), ("b", "2", None, 0b11, "val"), ("c", "3", None, 0, "test")])
    assert details(reject_near_leaks(table, near_of(table))) == {"b": "2 bits from test: c"}
    rejected = reject(table, pl.col("path") == "c", "by hand")
    assert details(reject_near_leaks(rejected, near_of(table))) == {"c": None, "a": "2 bits from val: b"}


def test_a_guard_file_turns_away_equal_bytes_and_near_looks_but_no_test_picture(tmp_path):
    table = catalogue([
        ("a", "1", A, 0xFF, "train"), ("b", "1", B, 0x1, "val"), ("c", "2", "c" * 64, 0xF00000, "train"),
        ("d", "3", A, 0x1, "test"), ("e", "3", None, None, "train"),
    ])  # fmt: skip
    guard = read_guards([guard_file(tmp_path, sha256=[A, None], phash=[None, 0])])
    after = reject_guarded(table, guard, near_of(table, more=[0]))
    assert details(after) == {"a": "same bytes as in guard.parquet", "b": "1 bits from a picture of guard.parquet"}
    assert after.columns == table.columns


@pytest.mark.parametrize("name", ["only.csv", "only.parquet"])
def test_one_column_is_enough_and_the_first_of_several_files_is_named(tmp_path, name):
    files = [guard_file(tmp_path, name, sha256=[A.upper()]), guard_file(tmp_path, "looks.csv", phash=[2**64 - 1])]
    guard = read_guards(files)
    assert guard.rows() == [(A, None, name), (None, 2**64 - 1, "looks.csv")]


def test_no_file_guards_nothing():
    assert read_guards([]).is_empty()


def test_everything_wrong_with_guard_files_is_said_at_once(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    files = [
        str(tmp_path / "gone.csv"), str(tmp_path / "guard.txt"), str(tmp_path / "broken.parquet"),
        guard_file(tmp_path, "other.csv", path=["a.jpg"]), guard_file(tmp_path, "short.csv", sha256=["12"]),
        guard_file(tmp_path, "text.csv", phash=["ffee"]),
    ]  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        read_guards(files)
    for said in (
        "no file", "guard.txt: no guard file format '.txt'; known: .csv, .parquet", "broken.parquet is no table",
        "got columns path and 1 rows", "got sha256 '12', expected 64 hex digits", "text.csv is no table",
    ):  # fmt: skip
        assert said in str(caught.value)


def test_evaluation_hashes_are_those_of_val_and_test_packed_or_not():
    table = catalogue([
        ("a", "1", A, 5, "train"), ("b", "1", B, None, "val"), ("c", "2", "c" * 64, 7, "test"),
        ("d", "2", None, None, "test"), ("e", "2", "c" * 64, 7, "test"),
    ])  # fmt: skip
    table = reject(table, pl.col("path") == "b", "by hand")
    hashes = evaluation_hashes(table)
    assert hashes.rows() == [(B, None, "s", "b"), ("c" * 64, 7, "s", "c")]
