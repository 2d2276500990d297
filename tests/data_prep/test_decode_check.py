import hashlib
import os

import numpy as np
import polars as pl
import pytest
from PIL import Image

from data_prep import decode_check
from data_prep.catalogue import make_catalogue
from data_prep.decode_check import EncodeAhead, check_images
from data_prep.encoded_ahead import ImageSettings, read_encoded, read_index
from data_prep.images import check_image, prepare_image
from data_prep.perceptual_hash import perceptual_hash
from data_prep.sources.source import MISSING_FILE, source_rows


@pytest.fixture
def raw_root(tmp_path):
    root = tmp_path / "raw"
    root.mkdir()
    for n, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        Image.new("RGB", (30 + n, 20), (n, 0, 0)).save(root / name)
    (root / "empty.jpg").touch()
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    return root


def catalogue(*paths):
    return make_catalogue(source_rows(["1"] * len(paths), paths), "s", "d", ".")


def test_hash_size_and_reason_of_each_file_in_the_order_of_the_rows(raw_root, tmp_path):
    table = check_images(catalogue("c.jpg", "empty.jpg", "a.jpg"), raw_root, tmp_path / "cache")
    assert table["path"].to_list() == ["c.jpg", "empty.jpg", "a.jpg"]
    assert table.select("width_px", "height_px", "reject_reason").rows() == [
        (32, 20, None),
        (None, None, "empty file"),
        (30, 20, None),
    ]
    assert table["sha256"][2] == hashlib.sha256((raw_root / "a.jpg").read_bytes()).hexdigest()
    assert table["sha256"][1] == hashlib.sha256(b"").hexdigest()
    assert dict(table.schema) == dict(catalogue().schema)
    assert table["phash"].to_list() == [None] * 3  # one-coloured pictures have none


def test_the_perceptual_hash_of_a_picture_with_something_in_it(raw_root, tmp_path):
    halves = Image.new("RGB", (64, 64))
    halves.paste("white", (0, 0, 40, 24))
    halves.save(raw_root / "halves.png")
    table = check_images(catalogue("a.jpg", "halves.png"), raw_root, tmp_path / "cache")
    assert table["phash"].to_list() == [None, perceptual_hash(np.asarray(halves))]


def test_the_perceptual_hash_is_that_of_the_picture(raw_root, tmp_path):
    Image.radial_gradient("L").save(raw_root / "a.jpg")
    table = check_images(catalogue("a.jpg", "b.jpg"), raw_root, tmp_path / "cache", image_px=100)
    facts = check_image((raw_root / "a.jpg").read_bytes(), 100)
    assert facts.phash is not None
    assert table["phash"].to_list() == [facts.phash, None]  # one colour has nothing to hash


def test_images_asked_for_are_encoded_in_the_same_decode(raw_root, tmp_path):
    settings = ImageSettings(16, 90)
    ahead = EncodeAhead(pl.Series(["a.jpg", "empty.jpg"]), settings, tmp_path / "encoded")
    paths = ("a.jpg", "b.jpg", "empty.jpg")
    table = check_images(catalogue(*paths), raw_root, tmp_path / "cache", image_px=16, ahead=ahead)
    assert table.equals(check_images(catalogue(*paths), raw_root, tmp_path / "other", image_px=16))
    ((sha256, *place),) = read_index(tmp_path / "encoded").iter_rows()
    assert sha256 == table["sha256"][0]
    content = (raw_root / "a.jpg").read_bytes()
    assert read_encoded(tmp_path / "encoded", *place) == prepare_image(content, 16, 90).jpeg


def test_what_is_no_file_is_rejected_and_never_opened(raw_root, tmp_path):
    table = check_images(catalogue("no.jpg", "folder.jpg", "pipe.jpg"), raw_root, tmp_path / "cache")
    assert table["reject_reason"].to_list() == [MISSING_FILE] * 3


def test_a_file_that_cannot_be_read_any_more_is_a_reject(raw_root, tmp_path, monkeypatch):
    list_files = decode_check._list_files

    def list_and_lose_b(*where):
        listed = list_files(*where)
        (raw_root / "b.jpg").unlink()
        return listed

    monkeypatch.setattr(decode_check, "_list_files", list_and_lose_b)
    table = check_images(catalogue("a.jpg", "b.jpg"), raw_root, tmp_path / "cache")
    assert table["reject_reason"].to_list() == [None, "unreadable file"]
    assert table["reject_detail"].to_list() == [None, "No such file or directory"]


def test_rejected_rows_are_not_opened_and_keep_their_reason(raw_root, tmp_path):
    table = catalogue("a.jpg", "b.jpg").with_columns(reject_reason=pl.Series(["by hand", None]))
    table = check_images(table, raw_root, tmp_path / "cache")
    assert table["reject_reason"].to_list() == ["by hand", None]
    assert table["sha256"].null_count() == 1


@pytest.mark.parametrize(("read_bytes", "n_read_before"), [(1, [1, 2, 3]), (10_000_000, [3, 3, 3])])
def test_files_are_read_ahead_up_to_a_limit(read_bytes, n_read_before, raw_root, tmp_path, monkeypatch):
    n_read, seen = [], []
    read_file, check_file = decode_check._read_file, decode_check._check_file
    monkeypatch.setattr(decode_check, "READ_BYTES", read_bytes)
    monkeypatch.setattr(decode_check, "_read_file", lambda path: n_read.append(path) or read_file(path))
    monkeypatch.setattr(decode_check, "_check_file", lambda *args: seen.append(len(n_read)) or check_file(*args))
    check_images(catalogue("a.jpg", "b.jpg", "c.jpg"), raw_root, tmp_path / "cache")
    assert seen == n_read_before


def test_nothing_is_decoded_twice_unless_the_file_changed(raw_root, tmp_path, monkeypatch):
    table = catalogue("a.jpg", "b.jpg", "c.jpg")
    opened = []
    read_file = decode_check._read_file
    monkeypatch.setattr(
        decode_check, "_read_file", lambda path: opened.append(os.path.basename(path)) or read_file(path)
    )
    monkeypatch.setattr(decode_check, "FEWEST_FILES_PER_TASK", 2)
    first = check_images(table, raw_root, tmp_path / "cache")
    assert sorted(opened) == ["a.jpg", "b.jpg", "c.jpg"]
    assert check_images(table, raw_root, tmp_path / "cache").equals(first)
    assert len(opened) == 3
    Image.new("RGB", (99, 99)).save(raw_root / "b.jpg")
    changed = check_images(table, raw_root, tmp_path / "cache")
    assert opened[3:] == ["b.jpg"]
    assert changed["width_px"].to_list() == [30, 99, 32]


def test_finished_tasks_survive_an_interruption(raw_root, tmp_path, monkeypatch):
    opened = []
    read_file = decode_check._read_file

    def stops_at_c(path):
        if path.endswith("c.jpg") and "c.jpg" not in opened:
            opened.append("c.jpg")
            raise KeyboardInterrupt
        opened.append(os.path.basename(path))
        return read_file(path)

    monkeypatch.setattr(decode_check, "_read_file", stops_at_c)
    monkeypatch.setattr(decode_check, "FEWEST_FILES_PER_TASK", 2)
    table = catalogue("a.jpg", "b.jpg", "c.jpg")
    with pytest.raises(KeyboardInterrupt):
        check_images(table, raw_root, tmp_path / "cache")
    check_images(table, raw_root, tmp_path / "cache")
    assert opened == ["a.jpg", "b.jpg", "c.jpg", "c.jpg"]


def test_another_raw_root_has_its_own_results(raw_root, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.jpg").write_bytes((raw_root / "empty.jpg").read_bytes())
    check_images(catalogue("a.jpg"), raw_root, tmp_path / "cache")
    assert check_images(catalogue("a.jpg"), other, tmp_path / "cache")["reject_reason"].to_list() == [
        "empty file"
    ]


def test_a_path_listed_by_two_sources_serves_both(raw_root, tmp_path):
    table = pl.concat([catalogue("a.jpg"), catalogue("a.jpg").with_columns(source=pl.lit("t"))])
    assert check_images(table, raw_root, tmp_path / "cache")["width_px"].to_list() == [30, 30]


def test_workers_give_the_same_table(raw_root, tmp_path, monkeypatch):
    monkeypatch.setattr(decode_check, "FEWEST_FILES_PER_TASK", 1)
    table = catalogue("a.jpg", "b.jpg", "empty.jpg")
    alone = check_images(table, raw_root, tmp_path / "one", workers=1)
    assert check_images(table, raw_root, tmp_path / "two", workers=2).equals(alone)
