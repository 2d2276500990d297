import doctest

from data_prep.catalogue import CATALOGUE_SCHEMA
from data_prep.sources import source
from data_prep.sources.source import ROW_SCHEMA, source_rows


def test_doctest():
    result = doctest.testmod(source)
    assert (result.attempted, result.failed) == (1, 0)


def test_rows_have_the_schema_even_when_there_are_none():
    assert dict(source_rows([], []).schema) == ROW_SCHEMA
    assert dict(source_rows(["1"], ["a.jpg"], more_class_keys=[["2", "3"]]).schema) == ROW_SCHEMA


def test_row_columns_are_catalogue_columns():
    assert ROW_SCHEMA.items() <= CATALOGUE_SCHEMA.items()


def test_rows_start_accepted_and_undecided():
    row = source_rows(["0012"], ["a.jpg"]).row(0, named=True)
    assert row == {
        "class_key": "0012",
        "more_class_keys": [],
        "path": "a.jpg",
        "split": "",
        "role": "",
        "reject_reason": None,
        "reject_detail": None,
    }
