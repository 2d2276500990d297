import subprocess
import sys

import pytest

from benchmarks.sections import put_table, table, write_section

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


def test_a_section_is_replaced_and_its_neighbours_stay(tmp_path):
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n## One\n\na\n\n## Two\n\nold\n\n## Three\n\nc\n", encoding="utf-8")
    for line in ("new", "newer"):
        write_section("Two", "python -m x", [line], results)
    text = results.read_text(encoding="utf-8")
    assert "old" not in text and "new\n" not in text and "`python -m x`, " in text
    assert text.startswith("# Results\n\n## One\n\na\n\n## Two\n\n") and text.endswith("newer\n\n## Three\n\nc\n")
    write_section("Four", "python -m y", ["d"], results)
    assert "## Three\n\nc\n\n## Four\n" in results.read_text(encoding="utf-8")


def test_peak_memory_counts_what_is_freed_again():
    # In a process of its own: of one that has run a thousand tests the system takes idle pages back meanwhile.
    code = """
import numpy as np
from benchmarks.sections import peak_mb_of, process_peak_mb
print(peak_mb_of(lambda: np.ones(80_000_000, np.uint8).sum()), peak_mb_of(lambda: None), process_peak_mb())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    of_array, of_nothing, of_process = map(float, done.stdout.split())
    assert 70 < of_array < 120 and of_nothing < 20 and of_process > 10


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


def test_a_table_is_markdown():
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
