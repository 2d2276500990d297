from pathlib import Path

from data_prep.sources import SOURCES
from data_prep.sources.datasheet import datasheet

COMMITTED = Path(__file__).parents[3] / "DATASETS.md"
REWRITE = (
    "python -c 'from pathlib import Path; from data_prep.sources.datasheet import datasheet; "
    'Path("DATASETS.md").write_text(datasheet())\''
)


def test_the_committed_file_is_current():
    assert COMMITTED.read_text(encoding="utf-8") == datasheet(), f"DATASETS.md is not current; run: {REWRITE}"


def test_every_source_has_its_row_its_section_and_its_way_to_get_it():
    text = datasheet()
    for source in SOURCES.values():
        assert text.count(f'<a id="{source.key}">') == 1 and f"\n## {source.title}\n" in text
        assert f"| {source.domain} | [`{source.key}`](#{source.key}) |" in text
        assert source.fetch in text and source.licence in text and f"<{source.homepage}>" in text


def test_counts_are_written_out_and_unknown_ones_named():
    text = datasheet()
    assert "| train 59,551 / 11,318<br>test 60,502 / 11,316 |" in text
    assert "articles 105,542 / ?" in text and "not confirmed" in text
