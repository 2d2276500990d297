import hashlib
import io
import json
import tarfile
from dataclasses import replace

import polars as pl
import pytest
from PIL import Image

from data_prep.catalogue import make_catalogue
from data_prep.decode_check import check_images
from data_prep.errors import ConfigError
from data_prep.labels import number_classes
from data_prep.shard_plan import SAMPLE_COLUMNS, Folders, ImageSettings, plan_shards
from data_prep.shards import is_done, iterate_shard, write_shard
from data_prep.sources.source import source_rows


@pytest.fixture
def task(tmp_path):
    """A shard of three pictures, of which the widest is the only one to be made smaller."""
    raw_root = tmp_path / "raw"
    raw_root.mkdir()
    paths = ["Ä b.one.jpg", "2.jpg", "3.jpg"]
    for n, path in enumerate(paths):
        Image.new("RGB", (50 + 50 * n, 40 + 20 * n), (80 * n, 0, 0)).save(raw_root / path)
    table = make_catalogue(source_rows(["7", "7", "8"], paths, "test", "both"), "cars", "cars", ".")
    table = check_images(table, raw_root, tmp_path / "cache")
    folders = Folders(raw_root, tmp_path / "shards")
    return plan_shards(table, number_classes(table), ImageSettings(64, 90), 10, 0, folders)[0]


@pytest.fixture
def path(task, tmp_path):
    return tmp_path / "shards" / task.path


def test_pictures_and_their_descriptions_in_the_order_of_the_plan(task, path):
    write_shard(task)
    samples = list(iterate_shard(path))
    assert [key for key, _, _ in samples] == ["cars-0000000", "cars-0000001", "cars-0000002"]
    assert [meta["source_path"] for _, _, meta in samples] == task.samples["source_path"].to_list()
    for _, jpeg, meta in samples:
        assert set(meta) == set(SAMPLE_COLUMNS)
        width, height = meta["original_width_px"], meta["original_height_px"]
        picture = Image.open(io.BytesIO(jpeg))
        assert picture.size == ((120, 64) if height == 80 else (width, height))[:2]


def test_the_entry_says_what_was_written(task, path):
    entry = write_shard(task)
    assert (entry.path, entry.split, entry.source, entry.n_samples) == (
        "test/cars-000000.tar",
        "test",
        "cars",
        3,
    )
    assert entry.size_bytes == path.stat().st_size
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_members_carry_no_time_and_no_person(task, path):
    write_shard(task)
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    assert [member.name for member in members[:2]] == ["cars-0000000.jpg", "cars-0000000.json"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "bigdata", 0o444)}


def test_webdataset_reads_it(task, path):
    import webdataset

    write_shard(task)
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [json.loads(sample["json"])["source_path"] for sample in samples] == task.samples[
        "source_path"
    ].to_list()
    assert set(samples[0]) >= {"__key__", "jpg", "json"}


def test_the_same_task_gives_the_same_bytes_elsewhere(task, path, tmp_path):
    write_shard(task)
    write_shard(replace(task, folders=Folders(task.folders.raw_root, tmp_path / "again").absolute()))
    assert (tmp_path / "again" / task.path).read_bytes() == path.read_bytes()


def test_a_finished_shard_is_kept(task, path):
    entry = write_shard(task)
    written = path.stat().st_mtime_ns
    assert is_done(task)
    assert write_shard(task) == entry
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["cut", "flipped", "removed", "no record", "broken record"])
def test_a_shard_that_is_not_whole_is_written_again(task, path, damage):
    write_shard(task)
    good = path.read_bytes()
    record = path.parent.parent / "build" / "done" / "test" / "cars-000000.json"
    if damage == "cut":
        path.write_bytes(good[:-512])
    elif damage == "flipped":
        path.write_bytes(good[:600] + b"?" + good[601:])
    elif damage == "removed":
        path.unlink()
    elif damage == "no record":
        record.unlink()
    else:
        record.write_text("{")
    write_shard(task)
    assert path.read_bytes() == good
    assert is_done(task)


def test_another_task_of_the_same_name_is_written_anew(task, path):
    write_shard(task)
    other = replace(task, image=ImageSettings(32, 90))
    assert not is_done(other)
    write_shard(other)
    assert {min(Image.open(io.BytesIO(jpeg)).size) for _, jpeg, _ in iterate_shard(path)} == {32}


def test_a_raw_file_that_changed_or_vanished_stops_the_build_and_leaves_nothing(task, path, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "raw" / "2.jpg")
    with pytest.raises(ConfigError, match=r"2\.jpg: not the file that passed the decode check"):
        write_shard(task)
    (tmp_path / "raw" / "2.jpg").unlink()
    with pytest.raises(ConfigError, match=r"2\.jpg: passed the decode check, cannot be read now"):
        write_shard(task)
    assert list(path.parent.iterdir()) == []
    assert not is_done(task)


def test_a_picture_that_only_now_turns_out_bad_is_named(task, tmp_path):
    (tmp_path / "raw" / "2.jpg").write_bytes(b"junk")
    sha256 = hashlib.sha256(b"junk").hexdigest()
    is_bad = pl.col("source_path") == "2.jpg"
    samples = task.samples.with_columns(sha256=pl.when(is_bad).then(pl.lit(sha256)).otherwise("sha256"))
    with pytest.raises(ConfigError, match=r"2\.jpg: passed the decode check, now not an image"):
        write_shard(replace(task, samples=samples))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg"], "ends after a.jpg"),
        (["a.json"], "'a.json' has no partner"),
        (["a.jpg", "b.json"], "'b.json' has no partner"),
        (["a.jpg", "b.jpg"], "'b.jpg' has no partner"),
    ],
)
def test_unpaired_members_are_an_error(tmp_path, names, message):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(ConfigError, match=message):
        list(iterate_shard(tmp_path / "x.tar"))


def test_a_missing_cut_or_foreign_file_is_an_error(task, path, tmp_path):
    write_shard(task)
    path.write_bytes(path.read_bytes()[:900])
    (tmp_path / "text.tar").write_text("no tar" * 200)
    for bad in (path, tmp_path / "text.tar", tmp_path / "none.tar"):
        with pytest.raises(ConfigError, match="not a whole shard"):
            list(iterate_shard(bad))
