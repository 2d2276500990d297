import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from markupsafe import escape
from PIL import Image

from data_prep.catalogue import make_catalogue, reject
from data_prep.decode_check import check_images
from data_prep.labels import number_classes
from data_prep.manifest import Manifest
from data_prep.pair_sheet import Pair, PairSheet
from data_prep.report import (
    class_sizes,
    contact_sheets,
    print_summary,
    source_table,
    split_table,
    write_rejects,
    write_report,
)
from data_prep.shard_plan import Folders, ImageSettings, plan_shards
from data_prep.shards import write_shard
from data_prep.sources import SOURCES
from data_prep.sources.source import source_rows


@pytest.fixture
def packed(tmp_path):
    """(manifest, folder): a class of two train images and one of one val image, one image turned away."""
    for n in range(4):
        Image.new("RGB", (40, 30), (60 * n, 0, 0)).save(tmp_path / f"{n}.jpg")
    splits = ["train", "train", "val", "val"]
    rows = source_rows(
        ["<b>", "<b>", "2", "2"], [f"{n}.jpg" for n in range(4)], splits, ["", "", "both", "both"]
    )
    table = check_images(make_catalogue(rows, "cars", "vehicles", "."), tmp_path, tmp_path / "cache")
    table = reject(table, pl.col("path") == "3.jpg", "animated", "GIF, 2 frames")
    labels = number_classes(table)
    tasks = plan_shards(table, labels, ImageSettings(64, 90), 10, 0, Folders(tmp_path, tmp_path))
    steps = {"scan": {"images": 4, "classes": 2}, "decode check": {"images": 3, "classes": 2}}
    manifest = Manifest(
        mixture={"name": "small<1>", "seed": 7, "image_px": 64, "sources": [{"source": "cars", "reader": "table"}]},
        versions={},
        classes=list(labels.entries),
        shards=[write_shard(task) for task in tasks],
        repeat_to_by_source={},
        rejects={"animated": 1},
        counts={"cars": steps},
    )
    return manifest, tmp_path, table


def test_rejects_are_listed_with_reason_and_detail(packed, tmp_path):
    write_rejects(packed[2], tmp_path / "rejects.csv")
    with open(tmp_path / "rejects.csv", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["source", "path", "reason", "detail"],
            ["cars", "3.jpg", "animated", "GIF, 2 frames"],
        ]


def test_counts_of_each_source_and_split(packed):
    rows = [
        (row["split"], row["domain"], row["n_classes"], row["n_images"]) for row in split_table(packed[0])
    ]
    assert rows == [("train", "vehicles", 1, 2), ("val", "vehicles", 1, 1)]


def test_the_rows_of_sources_and_their_sum(packed):
    rows = source_table(packed[0])
    assert [(row["source"], row["train"], row["val"], row["test"]) for row in rows] == [
        ("cars", (2, 1), (1, 1), (0, 0)),
        ("all", (2, 1), (1, 1), (0, 0)),
    ]


def test_terms_are_those_of_the_data_set_and_only_of_the_known_ones(packed, tmp_path):
    manifest, folder, _ = packed
    write_report(manifest, folder, tmp_path / "own.html")
    assert "data of your own" in (tmp_path / "own.html").read_text()
    mixture = manifest.mixture | {"sources": [{"source": "met", "reader": None}]}
    write_report(replace(manifest, mixture=mixture, counts={"met": {}}), folder, tmp_path / "met.html")
    text = (tmp_path / "met.html").read_text()
    assert str(escape(SOURCES["met"].licence)) in text and SOURCES["met"].homepage in text


def test_a_sheet_of_pictures_for_each_source_and_split(packed):
    sheets = contact_sheets(packed[0], packed[1])
    sizes = {split: Image.open(io.BytesIO(jpeg)).size for split, jpeg in sheets["cars"].items()}
    assert list(sheets) == ["cars"] and sizes == {"train": (192, 96), "val": (96, 96)}


def test_the_page_holds_numbers_and_pictures_and_escapes_names(packed):
    manifest, folder, _ = packed
    write_report(manifest, folder, folder / "report.html")
    text = Path(folder / "report.html").read_text()
    assert "small&lt;1&gt;" in text and "<b>" not in text
    assert text.count("data:image/jpeg;base64,") == 2
    for part in ("<th>decode check</th>", "<td>4 <small>(2)</small></td>", "<td>animated</td><td>1</td>"):
        assert part in text


def test_class_sizes_are_counted_in_powers_of_two_and_drawn_to_one_scale(packed):
    manifest, folder, _ = packed
    sizes = {"train": [2, 3, 3, 15], "val": [8], "test": []}
    entries = [
        replace(manifest.classes[0], split=split, n_images=n) for split, numbers in sizes.items() for n in numbers
    ]
    manifest = replace(manifest, classes=entries)
    assert [tuple(row.values()) for row in class_sizes(manifest)] == [
        ("2 to 3", 3, 0, 0),
        ("4 to 7", 0, 0, 0),
        ("8 to 15", 1, 1, 0),
    ]
    write_report(manifest, folder, folder / "report.html")
    bars = re.findall(r'width: ([\d.]+)px"></span> (\d)', (folder / "report.html").read_text())
    assert bars == [("180.0", "3"), ("60.0", "1"), ("60.0", "1")]


def test_near_duplicates_are_shown_where_they_were_looked_for(packed):
    manifest, folder, _ = packed
    pair = Pair("cars", "a&b.jpg", "7", "c.jpg", "8", 3, "classes merged", b"jpeg")
    shown = []
    for sheet in (None, PairSheet([], 0), PairSheet([pair, pair], 1234)):
        write_report(manifest, folder, folder / "report.html", sheet)
        shown.append((folder / "report.html").read_text())
    assert "Near duplicates" not in shown[0]
    assert "0 of 0 pairs" in shown[1] and "<p>None.</p>" in shown[1]
    assert "2 of 1,234 pairs" in shown[2] and shown[2].count("data:image/jpeg;base64,anBlZw==") == 2
    for part in ("<b>classes merged</b>, 3 bits, cars", "a&amp;b.jpg <small>class 7</small>", "c.jpg <small>class 8"):
        assert part in shown[2]


def test_the_page_is_the_same_bytes_each_time(packed):
    manifest, folder, _ = packed
    write_report(manifest, folder, folder / "a.html")
    write_report(manifest, folder, folder / "b.html")
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()


def test_the_summary_on_the_screen(packed, capsys):
    print_summary(packed[0])
    shown = capsys.readouterr().out
    assert "vehicles" in shown and "animated" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines()]
    assert ["all", "", "2 (1)", "1 (1)", "0 (0)", "0.0"] in rows


def test_the_summary_in_a_log_is_not_cut(packed, capsys):
    long_name = "a_source_whose_name_is_rather_long_for_a_table"
    manifest = replace(packed[0], shards=[replace(shard, source=long_name) for shard in packed[0].shards])
    print_summary(manifest)
    assert long_name in capsys.readouterr().out
