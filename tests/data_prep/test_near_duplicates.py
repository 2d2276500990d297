import doctest

import numpy as np
import polars as pl
import pytest

from data_prep import hamming, near_duplicates
from data_prep.catalogue import make_catalogue, reject
from data_prep.errors import ConfigError
from data_prep.near_duplicates import (
    ACROSS,
    FOUND_SCHEMA,
    IN_CLASS,
    MAX_CLASSES_OF_A_PICTURE,
    hash_neighbours,
    reject_near_duplicates,
    write_near_duplicates,
)
from data_prep.sources.source import source_rows


def catalogue(rows, source="s"):
    """Rows are (path, class_key, phash) or (path, class_key, phash, split, role, side in pixels)."""
    filled = [(*row, *("", "", 10)[len(row) - 3 :]) for row in rows]
    paths, keys, hashes, splits, roles, sides = zip(*filled, strict=True)
    table = make_catalogue(source_rows(keys, paths, splits, roles), source, "d", ".")
    side = pl.Series(sides, dtype=pl.Int32)
    return table.with_columns(phash=pl.Series(hashes, dtype=pl.UInt64), width_px=side, height_px=side)


def run(table, policy="report", max_bits=2):
    near = hash_neighbours(table.filter(pl.col("reject_reason").is_null())["phash"], max_bits)
    return reject_near_duplicates(table, near, policy)


def kept(table):
    return table.filter(pl.col("reject_reason").is_null())["path"].to_list()


def details(table):
    rows = table.filter(pl.col("reject_reason").is_not_null()).select("path", "reject_reason", "reject_detail")
    return {path: (reason, detail) for path, reason, detail in rows.iter_rows()}


def test_doctests():
    assert doctest.testmod(near_duplicates).failed == 0


def test_neighbours_come_in_both_directions_and_equal_hashes_with_themselves():
    near = hash_neighbours(pl.Series([0, 1, 0xFF00, 0xFF00, 0xF0F0F0, None], dtype=pl.UInt64), 2)
    assert near.rows() == [(0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 0, 1), (0xFF00, 0xFF00, 0)]


def test_a_flood_of_pairs_is_an_error_of_the_mixture(monkeypatch):
    monkeypatch.setattr(hamming, "MAX_PAIRS", 3)
    with pytest.raises(ConfigError, match="max_bits: more than 3 pairs within 2 bits: take fewer"):
        hash_neighbours(pl.Series(range(8), dtype=pl.UInt64), 2)


def test_inside_a_class_one_of_near_pictures_stays():
    table, found = run(catalogue([("b", "1", 0b11), ("a", "1", 0b1), ("c", "1", 0b111000), ("d", "1", 0b1)]))
    assert kept(table) == ["a", "c"]
    assert details(table) == {"b": (IN_CLASS, "1 bits from a"), "d": (IN_CLASS, "0 bits from a")}
    assert found.select("path", "other_path", "bits", "decision").rows() == [
        ("b", "a", 1, "dropped"), ("d", "a", 0, "dropped"),
    ]  # fmt: skip
    assert dict(found.schema) == FOUND_SCHEMA


def test_the_index_image_stays_then_the_one_with_most_pixels_then_the_smallest_path():
    rows = [("a", "1", 1, "", "", 10), ("b", "1", 1, "", "", 20), ("c", "1", 1, "", "", 20)]
    assert kept(run(catalogue(rows))[0]) == ["b"]
    assert kept(run(catalogue([*rows, ("z", "1", 1, "", "index", 5)]))[0]) == ["z"]


def test_chains_are_not_followed():
    """a - b - c - d, two bits from each to the next: b goes for a; c is far from a and stays; d goes for c."""
    table, _ = run(catalogue([("a", "1", 0), ("b", "1", 0b11), ("c", "1", 0b1111), ("d", "1", 0b111111)]))
    assert kept(table) == ["a", "c"]
    assert details(table)["d"] == (IN_CLASS, "2 bits from c")


def test_greedy_choice_equals_a_slow_loop():
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2**64, 12, dtype=np.uint64)
    hashes = [int(rng.choice(centres)) ^ sum(1 << int(bit) for bit in rng.integers(0, 64, 4)) for _ in range(400)]
    rows = [(f"{n:03}", str(rng.integers(3)), value) for n, value in enumerate(hashes)]
    expected = []
    for path, key, value in rows:
        if not any(key == k and (value ^ v).bit_count() <= 6 for _, k, v in expected):
            expected.append((path, key, value))
    assert kept(run(catalogue(rows), max_bits=6)[0]) == [path for path, _, _ in expected]
    assert len(expected) < 380


def test_no_hash_rejected_and_official_evaluation_rows_neither_count_nor_go():
    table = catalogue([
        ("a", "1", None), ("b", "1", None), ("c", "1", 7), ("d", "1", 7),
        ("e", "2", 7, "test", "both"), ("f", "2", 7, "test", "both"),
    ])  # fmt: skip
    table = reject(table, pl.col("path") == "c", "by hand")
    found, report = run(table)
    assert found.equals(table)
    assert report.is_empty()


def test_sources_are_not_compared_with_each_other():
    table = pl.concat([catalogue([("a", "1", 7)]), catalogue([("b", "1", 7)], "other")])
    assert run(table, "drop")[0].equals(table)


ACROSS_ROWS = (("a", "1", 0), ("b", "2", 1), ("c", "2", 0xFF00), ("d", "3", 0xFF0000))


def test_across_classes_report_changes_nothing():
    table = catalogue(ACROSS_ROWS)
    after, found = run(table, "report")
    assert after.equals(table)
    assert found.select("path", "class_key", "other_path", "other_class_key", "bits", "decision").rows() == [
        ("a", "1", "b", "2", 1, "kept"), ("b", "2", "a", "1", 1, "kept"),
    ]  # fmt: skip


def test_across_classes_drop_turns_both_away():
    table, _ = run(catalogue(ACROSS_ROWS), "drop")
    assert details(table) == {"a": (ACROSS, "1 bits from b of class 2"), "b": (ACROSS, "1 bits from a of class 1")}


def test_across_classes_merge_gives_the_larger_class_the_smaller_and_keeps_its_old_key():
    table, found = run(catalogue(ACROSS_ROWS), "merge")
    assert table.select("path", "class_key", "more_class_keys").rows() == [
        ("a", "2", ["1"]), ("b", "2", []), ("c", "2", []), ("d", "3", []),
    ]  # fmt: skip
    assert details(table) == {"b": (IN_CLASS, "1 bits from a")}  # now in one class
    assert found.select("path", "class_key", "decision").rows() == [
        ("a", "1", "class merged"), ("b", "2", "class merged"), ("b", "2", "dropped"),
    ]  # fmt: skip


def test_merged_classes_are_a_centre_and_its_neighbours_not_a_chain():
    """1 shares a picture with 2, 2 with 3, 3 with 4; 1 is the largest: it takes 2; 3 takes 4."""
    links = [("a", "1", 1), ("b", "2", 1), ("c", "2", 0xF00), ("d", "3", 0xF00), ("e", "3", 0xF000), ("f", "4", 0xF000)]
    table, _ = run(catalogue([*links, ("x", "1", 0xF << 40), ("y", "1", 0xF << 50)]), "merge", 0)
    assert dict(table.select("path", "class_key").rows()) == {
        "a": "1", "b": "1", "c": "1", "d": "3", "e": "3", "f": "3", "x": "1", "y": "1",
    }  # fmt: skip


def test_a_picture_of_many_classes_merges_none_and_goes():
    n = MAX_CLASSES_OF_A_PICTURE + 1
    placeholder = [(f"p{key}", str(key), 5) for key in range(n + 1)]
    own = [(f"q{key}", str(key), 0xFF << 8 * key) for key in range(n + 1)]
    table, found = run(catalogue(placeholder + own), "merge")
    assert kept(table) == [path for path, _, _ in own]
    assert table["class_key"].n_unique() == n + 1
    assert set(found["decision"]) == {"dropped"}
    fewer, _ = run(catalogue(placeholder[:-1] + own), "merge")
    assert "0" in fewer.filter(pl.col("path").str.starts_with("p"))["class_key"].unique()
    assert fewer["class_key"].n_unique() == 2  # merged into one, and the class that has no such picture


@pytest.mark.parametrize("policy", ["report", "merge", "drop"])
def test_the_order_of_the_rows_does_not_matter(policy):
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 2**64, 30, dtype=np.uint64)
    hashes = [int(rng.choice(centres)) ^ sum(1 << int(bit) for bit in rng.integers(0, 64, 2)) for _ in range(200)]
    table = catalogue([(f"{n:03}", str(rng.integers(40)), value) for n, value in enumerate(hashes)])
    after, found = run(table, policy, 3)
    shuffled, found_again = run(table.sample(fraction=1, shuffle=True, seed=1), policy, 3)
    assert shuffled.sort("path").equals(after) and found_again.equals(found)
    assert found.height > 20


def test_the_table_of_findings_goes_with_the_setting(tmp_path):
    _, found = run(catalogue(ACROSS_ROWS))
    write_near_duplicates(found, tmp_path / "near.csv")
    assert (tmp_path / "near.csv").read_text().splitlines()[1] == "s,a,1,b,2,1,kept"
    write_near_duplicates(None, tmp_path / "near.csv")
    assert not list(tmp_path.iterdir())
