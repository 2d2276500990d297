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


def test_how_each_is_fetched_is_said():
    text = datasheet()
    assert all(f"\n- `python -m data_prep.fetch {key}`: " in text for key in SOURCES)
    for line in (
        "imet`: Kaggle competition `imet-2019-fgvc6`; accept its rules on its web page first",
        "rpc`: Kaggle data set `diyer22/retail-product-checkout-dataset`",
        "rp2k`: 1 file (6.3 GB) over HTTP; checked by checksum",
        "gldv2`: 625 files over HTTP; 620 of them checked by checksum",
        "gpr1200`: 1 file over HTTP; no checksum is known",
        "compcars`: by request; it says where to ask\n",
        "vmmrdb`: by request; it says where to ask and unpacks `VMMRdb.zip`",
    ):
        assert f"- `python -m data_prep.fetch {line}" in text
    assert "(#compcars) | CompCars | web pictures 136,726 / ? | by request |" in text
