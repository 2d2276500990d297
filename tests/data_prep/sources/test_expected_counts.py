import polars as pl
import pytest

from data_prep.errors import ConfigError
from data_prep.sources import SOURCES
from data_prep.sources.expected_counts import EXPECTED_COUNTS, Count, check_counts
from data_prep.sources.source import source_rows


def test_counts_are_of_known_sources_and_say_something():
    assert set(EXPECTED_COUNTS) <= set(SOURCES)
    for counts in EXPECTED_COUNTS.values():
        assert all(count.n_rows or count.n_classes for count in counts)


def test_rows_and_classes_of_a_part_are_compared(monkeypatch):
    rows = source_rows(["1", "1", "2"], ["a", "b", "c"], ["train", "train", "test"])
    train = pl.col("split") == "train"
    monkeypatch.setitem(
        EXPECTED_COUNTS, "met", (Count("a", train, 2, 1), Count("b", train, 2, 2), Count("c", pl.lit(True), None, 2))
    )
    checks = check_counts("met", rows)
    assert [(check.part, check.got, check.ok) for check in checks] == [
        ("a", (2, 1), True), ("b", (2, 1), False), ("c", (3, 2), True),
    ]  # fmt: skip


def test_an_unknown_source_is_an_error():
    with pytest.raises(ConfigError, match=r"no counts for source 'sop'; known: .*met"):
        check_counts("sop", source_rows([], []))


def test_imagenets_parts_are_told_apart_by_their_folders():
    paths = [f"ILSVRC/Data/CLS-LOC/{part}" for part in ("train/n1/a.JPEG", "train/n2/b.JPEG", "val/c.JPEG")]
    checks = check_counts("imagenet1k", source_rows(["n1", "n2", "n1"], paths, "train"))
    assert [check.got for check in checks] == [(2, 2), (1, 1)]
