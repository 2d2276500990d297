import pytest

from data_prep.errors import ConfigError
from data_prep.sources import SOURCES
from data_prep.sources.expected_counts import EXPECTED_COUNTS, check_counts
from data_prep.sources.source import source_rows


def test_every_source_says_what_it_holds_when_complete():
    assert EXPECTED_COUNTS.keys() == SOURCES.keys()
    totals = {key: sum(count.n_rows for count in counts) for key, counts in EXPECTED_COUNTS.items()}
    assert totals["stanford_products"] == 120_053  # the totals are published apart from the parts
    assert totals["stanford_cars"] == 16_185
    assert totals["deepfashion_inshop"] == 52_712


def test_rows_and_classes_are_counted_by_part():
    rows = source_rows(["1", "1", "9"], ["a", "b", "c"], splits=["train", "train", "test"])
    train, test = check_counts("stanford_cars", rows)
    assert (train.part, train.got, train.expected, train.ok) == ("classes 1 to 98", (2, 1), (8_054, 98), False)
    assert test.got == (1, 1)


def test_a_complete_part_agrees_and_unknown_class_counts_are_left_out():
    paths = [f"images/test_met/{k}.jpg" for k in range(1_132)]
    database, queries = check_counts("met", source_rows(["7"] * 1_132, paths, roles="query"))
    assert queries.ok and queries.got == (1_132, None)
    assert not database.ok and database.got == (0, 0)


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no counts for source 'sop'; known: .*stanford_products"):
        check_counts("sop", source_rows([], []))
