import pickle
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data_prep.catalogue import make_catalogue, reject
from data_prep.encoded_ahead import PLACE_COLUMNS
from data_prep.hash_rank import rank_hash
from data_prep.labels import number_classes
from data_prep.shard_plan import SAMPLE_COLUMNS, Folders, ImageSettings, plan_shards, with_encoded
from data_prep.sources.source import source_rows

IMAGE = ImageSettings(image_px=64, jpeg_quality=90)
FOLDERS = Folders(Path("raw"), Path("shards"))


def catalogue(source, n_train, n_test=0):
    n = n_train + n_test
    splits = ["train"] * n_train + ["test"] * n_test
    roles = [""] * n_train + ["both"] * n_test
    keys = [f"{split}{row % 2}" for row, split in enumerate(splits)]
    table = source_rows(
        keys, [f"{row:03d}.jpg" for row in range(n)], splits, roles, [["train1"]] + [[]] * (n - 1)
    )
    return make_catalogue(table, source, source + "s", source)


def plan(table, samples_per_shard=4, seed=0, image=IMAGE, folders=FOLDERS):
    return plan_shards(table, number_classes(table), image, samples_per_shard, seed, folders)


def test_one_source_and_split_a_shard_with_running_numbers():
    tasks = plan(pl.concat([catalogue("shop", 5), catalogue("cars", 6, 3)]))
    assert [(task.path, task.first_number, task.samples.height) for task in tasks] == [
        ("train/cars-000000.tar", 0, 4),
        ("train/cars-000001.tar", 4, 2),
        ("train/shop-000000.tar", 0, 4),
        ("train/shop-000001.tar", 4, 1),
        ("test/cars-000000.tar", 6, 3),
    ]
    assert {(task.source, task.split, task.domain) for task in tasks} == {
        ("cars", "train", "carss"),
        ("shop", "train", "shops"),
        ("cars", "test", "carss"),
    }


def test_samples_are_shuffled_over_the_whole_split_by_their_hash():
    tasks = plan(catalogue("cars", 12), seed=3)
    found = [path for task in tasks for path in task.samples["source_path"]]
    assert found == sorted(found, key=lambda path: rank_hash(3, "shuffle", "cars", path))
    assert found != sorted(found)


@pytest.mark.parametrize("change", [lambda t: t.reverse(), lambda t: pl.concat([t, catalogue("zoo", 3)])])
def test_neither_row_order_nor_another_source_changes_a_shard(change):
    table = catalogue("cars", 9, 3)
    expected = {task.path: task.sha256() for task in plan(table)}
    found = {task.path: task.sha256() for task in plan(change(table)) if task.source == "cars"}
    assert found == expected


def test_rejected_rows_are_not_planned():
    table = reject(catalogue("cars", 5), pl.col("path") == "cars/003.jpg", "truncated")
    paths = [path for task in plan(table) for path in task.samples["source_path"]]
    assert len(paths) == 4 and "cars/003.jpg" not in paths


def test_a_sample_says_everything_about_itself():
    table = catalogue("cars", 2).with_columns(width_px=pl.lit(640, pl.Int32))
    row = plan(table)[0].samples.filter(pl.col("source_path") == "cars/000.jpg").row(0, named=True)
    assert tuple(row) == SAMPLE_COLUMNS
    assert (row["class_key"], row["class_id"], row["original_width_px"]) == ("train0", 0, 640)
    assert (row["more_class_keys"], row["more_class_ids"]) == (["train1"], [1])


def test_an_accepted_label_without_images_has_a_key_and_no_id():
    row = plan(catalogue("cars", 1))[0].samples.row(0, named=True)
    assert (row["more_class_keys"], row["more_class_ids"]) == (["train1"], [])


def test_the_hash_is_of_what_decides_the_bytes_not_of_this_machine():
    task = plan(catalogue("cars", 4))[0]
    assert replace(task, folders=Folders(Path("/elsewhere"), "s3://there", Path("/b"))).sha256() == task.sha256()
    others = [
        replace(task, first_number=1),
        replace(task, path="train/cars-000009.tar"),
        replace(task, image=replace(IMAGE, jpeg_quality=91)),
        replace(task, samples=task.samples.reverse()),
        replace(task, samples=task.samples.with_columns(sha256=pl.lit("ab"))),
    ]
    assert len({other.sha256() for other in others} | {task.sha256()}) == 6


def test_each_task_is_told_where_its_own_pictures_lie():
    table = catalogue("cars", 6, 3).with_columns(sha256=pl.col("path").str.reverse())
    tasks = plan(table)
    known = table.filter(pl.col("path") != "cars/002.jpg").select(picture="sha256").reverse().with_row_index("offset")
    index = known.with_columns(file=pl.lit("f"), n_bytes=pl.lit(9), crc32=pl.lit(0, pl.UInt32))
    offsets = {row["picture"]: row["offset"] for row in index.to_dicts()}
    told = with_encoded(tasks, index)
    assert [task.sha256() for task in told] == [task.sha256() for task in tasks]
    for task in told:
        assert task.encoded.columns == list(PLACE_COLUMNS)
        assert task.encoded["offset"].to_list() == [offsets.get(sha256) for sha256 in task.samples["sha256"]]
    assert with_encoded(tasks, index.clear()) is tasks


def test_a_task_travels_with_its_own_rows_only():
    """A slice of a table must not drag the whole table through the pipe to a worker."""
    table = catalogue("cars", 4000).with_columns(sha256=pl.col("path").str.pad_end(64, "x"))
    index = table.select(picture="sha256", file=pl.lit("0123456789ab"), offset=pl.lit(1), n_bytes=pl.lit(9))
    index = index.with_columns(crc32=pl.lit(0, pl.UInt32))
    small, large = (
        len(pickle.dumps(with_encoded(plan(table.head(n), samples_per_shard=20), index)[0])) for n in (20, 4000)
    )
    assert large < 1.2 * small


def test_boxes_are_described_and_sources_without_them_are_planned_as_ever():
    cars, scenes = catalogue("cars", 5), catalogue("scenes", 5)
    boxes = pl.col("path") + pl.when(pl.col("path") < "scenes/003").then(pl.lit("#box=1,2,30,40")).otherwise(pl.lit(""))
    scenes = scenes.with_columns(path=boxes, sha256=pl.lit("ab"))
    alone = {task.path: task.sha256() for task in plan(cars)}
    tasks = plan(pl.concat([cars, scenes]))
    assert alone == {task.path: task.sha256() for task in tasks if task.source == "cars"}
    assert all(tuple(task.samples.columns) == SAMPLE_COLUMNS for task in tasks if task.source == "cars")
    samples = pl.concat([task.samples for task in tasks if task.source == "scenes"])
    assert samples.columns == [*SAMPLE_COLUMNS, "crop"]
    assert dict(samples.select("source_path", "crop").rows()) == {
        f"scenes/{n:03d}.jpg": [1, 2, 30, 40] if n < 3 else None for n in range(5)
    }
    moved = scenes.with_columns(path=pl.col("path").str.replace("30,40", "30,41", literal=True))
    hashes = [{task.path: task.sha256() for task in plan(table)} for table in (scenes, moved)]
    assert hashes[0]["train/scenes-000000.tar"] != hashes[1]["train/scenes-000000.tar"]


def test_a_box_is_looked_up_by_file_and_box():
    scenes = catalogue("scenes", 2).with_columns(
        path=pl.Series(["s.jpg#box=1,2,3,4", "s.jpg#box=1,2,3,5"]), sha256=pl.lit("ab")
    )
    index = pl.DataFrame(
        [("ab", "f", 0, 1, 9), ("ab#box=1,2,3,5", "f", 5, 7, 9)],
        schema={"picture": pl.String, "file": pl.String, "offset": pl.Int64, "n_bytes": pl.Int64, "crc32": pl.UInt32},
        orient="row",
    )
    (task,) = with_encoded(plan(scenes), index)
    found = dict(zip(task.samples["crop"].list.last(), task.encoded["offset"], strict=True))
    assert found == {4: None, 5: 5}
