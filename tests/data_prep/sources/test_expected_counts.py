import polars as pl
import pytest

from data_prep.errors import ConfigError
from data_prep.sample_world import RENDERED
from data_prep.sources import SOURCES
from data_prep.sources.expected_counts import EXPECTED_COUNTS, Count, check_counts
from data_prep.sources.source import source_rows


def test_counts_are_of_known_sources_and_say_something():
    assert set(RENDERED) <= set(EXPECTED_COUNTS) <= set(SOURCES)
    for counts in EXPECTED_COUNTS.values():
        assert all(count.n_rows or count.n_classes for count in counts)


def test_parts_add_up_to_the_totals_that_are_published_apart_from_them():
    totals = {key: sum(count.n_rows or 0 for count in counts) for key, counts in EXPECTED_COUNTS.items()}
    assert totals["stanford_products"] == 120_053
    assert totals["stanford_cars"] == 16_185
    assert totals["deepfashion_inshop"] == 52_712
    assert totals["inat2018"] == 437_513 + 24_426
    assert totals["food101"] == 75_750 + 25_250
    assert totals["grocery_store"] == 2_640 + 296 + 2_485


def test_rows_and_classes_are_counted_by_part():
    rows = source_rows(["1", "1", "9"], ["a", "b", "c"], splits=["train", "train", "test"])
    train, test = check_counts("stanford_cars", rows)
    assert (train.part, train.got, train.expected, train.ok) == ("classes 1 to 98", (2, 1), (8_054, 98), False)
    assert test.got == (1, 1)


def test_a_complete_part_agrees_and_unknown_counts_are_left_out(monkeypatch):
    paths = [f"images/test_met/{k}.jpg" for k in range(1_132)]
    database, queries = check_counts("met", source_rows(["7"] * 1_132, paths, roles="query"))
    assert queries.ok and queries.got == (1_132, None)
    assert not database.ok and database.got == (0, 0)
    monkeypatch.setitem(EXPECTED_COUNTS, "met", (Count("a", pl.lit(True), None, 2), Count("b", pl.lit(True), None, 1)))
    checks = check_counts("met", source_rows(["7", "8"], ["a", "b"]))
    assert [(check.got, check.ok) for check in checks] == [((None, 2), True), ((None, 2), False)]


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no counts for source 'sop'; known: .*stanford_products"):
        check_counts("sop", source_rows([], []))


def test_imagenets_parts_are_told_apart_by_their_folders():
    paths = [f"ILSVRC/Data/CLS-LOC/{part}" for part in ("train/n1/a.JPEG", "train/n2/b.JPEG", "val/c.JPEG")]
    checks = check_counts("imagenet1k", source_rows(["n1", "n2", "n1"], paths, "train"))
    assert [check.got for check in checks] == [(2, 2), (1, 1)]
