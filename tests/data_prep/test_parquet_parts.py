import polars as pl
import pytest

from data_prep.parquet_parts import read_parts, write_part

SCHEMA = {"path": pl.String, "n": pl.Int64}


def part(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_parts_in_the_order_of_their_names(tmp_path):
    assert read_parts(tmp_path, SCHEMA).rows() == []
    write_part(part(("b", 2)), tmp_path / "2.parquet")
    write_part(part(("a", 1)), tmp_path / "1.parquet")
    assert read_parts(tmp_path, SCHEMA).rows() == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("damage", ["empty", "cut", "junk", "other columns"])
def test_a_damaged_part_counts_as_not_there(tmp_path, damage):
    write_part(part(("a", 1)), tmp_path / "1.parquet")
    bad = tmp_path / "2.parquet"
    write_part(part(("b", 2)), bad)
    if damage == "other columns":
        write_part(part(("b", 2)).rename({"n": "m"}), bad)
    else:
        bad.write_bytes({"empty": b"", "cut": bad.read_bytes()[:-9], "junk": b"junk" * 99}[damage])
    assert read_parts(tmp_path, SCHEMA).rows() == [("a", 1)]
    assert not bad.exists()
