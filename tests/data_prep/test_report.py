import csv
import io
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from data_prep.catalogue import make_catalogue, reject
from data_prep.decode_check import check_images
from data_prep.labels import number_classes
from data_prep.manifest import Manifest
from data_prep.report import contact_sheets, print_summary, split_table, write_rejects, write_report
from data_prep.shard_plan import ImageSettings, plan_shards
from data_prep.shards import write_shard
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
    tasks = plan_shards(table, labels, ImageSettings(64, 90), 10, 0, (tmp_path, tmp_path))
    steps = {"scan": {"images": 4, "classes": 2}, "decode check": {"images": 3, "classes": 2}}
    manifest = Manifest(
        mixture={"name": "small<1>", "seed": 7, "image_px": 64},
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


def test_a_sheet_of_pictures_for_each_source_and_split(packed):
    sheets = contact_sheets(packed[0], packed[1])
    assert [title for title, _ in sheets] == ["cars train", "cars val"]
    assert [Image.open(io.BytesIO(jpeg)).size for _, jpeg in sheets] == [(192, 96), (96, 96)]


def test_the_page_holds_numbers_and_pictures_and_escapes_names(packed):
    manifest, folder, _ = packed
    write_report(manifest, folder, folder / "report.html")
    text = Path(folder / "report.html").read_text()
    assert "small&lt;1&gt;" in text and "<b>" not in text
    assert text.count("data:image/png;base64,") == 1
    assert text.count("data:image/jpeg;base64,") == 2
    for part in ("<th>decode check</th>", "<td>4 <small>(2)</small></td>", "<td>animated</td><td>1</td>"):
        assert part in text


def test_the_page_is_the_same_bytes_each_time(packed):
    manifest, folder, _ = packed
    write_report(manifest, folder, folder / "a.html")
    write_report(manifest, folder, folder / "b.html")
    assert (folder / "a.html").read_bytes() == (folder / "b.html").read_bytes()


def test_the_summary_on_the_screen(packed, capsys):
    print_summary(packed[0])
    shown = capsys.readouterr().out
    assert "vehicles" in shown and "animated" in shown
