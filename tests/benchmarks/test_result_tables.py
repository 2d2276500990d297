import pytest

from benchmarks.result_tables import put_table

TEXT = """# Results

## First

Words.

| old |
|---|
| 1 |

More words.

| another |

## Second

No table yet.

## Third
"""
TABLE = ["| new |", "|---|", "| 2 |", "| 3 |"]


def test_the_first_table_of_the_section_is_replaced_and_nothing_else(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text(TEXT)
    put_table(path, "## First", TABLE)
    assert path.read_text() == TEXT.replace("| old |\n|---|\n| 1 |", "\n".join(TABLE))


def test_a_section_without_a_table_gets_it_at_its_end(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text(TEXT)
    put_table(path, "## Second", TABLE)
    assert path.read_text() == TEXT.replace("No table yet.\n", "No table yet.\n\n" + "\n".join(TABLE) + "\n")


def test_a_heading_that_is_not_there_is_an_error(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text(TEXT)
    with pytest.raises(SystemExit, match="Fourth"):
        put_table(path, "## Fourth", TABLE)
