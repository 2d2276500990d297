import json
import shutil

import pytest

from data_prep.errors import ConfigError
from train.data.damage import describe_damage, find_damage, known_damage, left_out_of
from train.data.readers import ShardReader


@pytest.fixture
def copy(packed, tmp_path):
    return shutil.copytree(packed, tmp_path / "copy")


def shard_of(reader, index):
    return reader.shards_dir / reader._locations[index][0]


def overwrite(reader, index, content, at=0):
    with open(shard_of(reader, index), "r+b") as stream:
        stream.seek(reader._locations[index][1] + at)
        stream.write(content)


def test_whole_shards_have_no_damage(packed):
    assert find_damage(packed) == []


def test_a_picture_that_does_not_decode_is_named_and_left_out(copy):
    reader = ShardReader(copy, "train")
    overwrite(reader, 3, b"\0" * 64)
    rows = find_damage(copy)
    assert [(row["shard"], row["key"], row["n_samples"]) for row in rows] == [
        (reader._locations[3][0], reader.table.keys[3], 1)]
    assert rows[0]["reason"]
    part = ShardReader(copy, "train", left_out=left_out_of(rows))
    assert list(part.table.keys) == [key for number, key in enumerate(reader.table.keys) if number != 3]
    assert part.jpeg_bytes(3) == reader.jpeg_bytes(4)


def test_a_change_that_harms_no_picture_is_not_damage(copy):
    """The last byte of the archive's padding: the hash differs, every picture is as good as before."""
    path = shard_of(ShardReader(copy, "train"), 0)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert find_damage(copy) == []


@pytest.mark.parametrize("fault", ["cut", "missing", "garbage"])
def test_a_broken_shard_is_damaged_as_a_whole(copy, fault):
    reader = ShardReader(copy, "train")
    path, entry = shard_of(reader, 0), reader._locations[0][0]
    n_samples = next(shard.n_samples for shard in reader.manifest.shards if shard.path == entry)
    if fault == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if fault == "cut" else b"x" * len(content))
    with pytest.raises(ConfigError, match=f"{path.name}.*on_bad_shard=skip"):
        ShardReader(copy, "train")
    rows = find_damage(copy)
    assert [(row["shard"], row["key"], row["n_samples"]) for row in rows] == [(entry, "", n_samples)]
    assert path.name in rows[0]["reason"] and ";" not in rows[0]["reason"]
    part = ShardReader(copy, "train", left_out=left_out_of(rows))
    assert len(part) == len(reader) - n_samples


def test_the_list_is_made_once_and_then_read(copy, tmp_path):
    path = tmp_path / "damaged.json"
    assert known_damage(copy, path) == [] and json.loads(path.read_text()) == []
    overwrite(ShardReader(copy, "train"), 0, b"\0" * 64)
    assert known_damage(copy, path) == []  # what a run began with holds to its end
    path.unlink()
    assert len(known_damage(copy, path)) == len(json.loads(path.read_text())) == 1


def test_one_line_says_how_many_and_where(tmp_path):
    assert describe_damage([], tmp_path / "d.json") == "no damaged train sample"
    rows = [{"shard": f"train/{n}.tar", "key": "", "n_samples": 10, "reason": "cut"} for n in range(5)]
    said = describe_damage(rows, tmp_path / "d.json")
    assert said == ("50 damaged train sample(s) left out, in train/0.tar, train/1.tar, train/2.tar and 2 more; each "
                    f"is named in {tmp_path / 'd.json'}")
