import io
import shutil

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import ConfigError
from data_prep.shards import iterate_shard
from train.data.readers import ShardReader


def test_random_access_equals_reading_the_shards_in_order(packed):
    reader = ShardReader(packed, "train")
    streamed = [
        (key, jpeg, meta) for shard in reader.manifest.shards if shard.split == "train"
        for key, jpeg, meta in iterate_shard(packed / shard.path)
    ]
    assert len(reader) == len(streamed) > 40
    for index in reversed(range(len(reader))):
        key, jpeg, meta = streamed[index]
        assert reader.jpeg_bytes(index) == jpeg
        assert reader.table.keys[index] == key
        assert reader.table.class_names[index] == f"{meta['source']}/{meta['class_key']}"
        assert reader.table.accepted[index] == (f"{meta['source']}/{meta['class_key']}",)
    assert reader.image(0).size == Image.open(io.BytesIO(streamed[0][1])).size


def test_splits_share_no_class_and_sources_can_be_chosen(packed):
    names = [set(ShardReader(packed, split).table.class_names) for split in ("train", "val", "test")]
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]
    only = ShardReader(packed, "train", ("tiles",))
    assert set(only.table.sources) == {"tiles"} and 0 < len(only) < len(ShardReader(packed, "train"))
    assert np.array_equal(np.unique(only.table.domains), ["tiles"])


def test_unknown_source_and_missing_manifest(packed, tmp_path):
    with pytest.raises(ConfigError, match="no source 'cars'; known: disks, tiles"):
        ShardReader(packed, "train", ("cars",))
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        ShardReader(tmp_path, "train")


def test_missing_and_cut_shards_are_named(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "copy")
    shard = sorted((tmp_path / "copy" / "train").glob("*.tar"))[0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2 // 512 * 512])
    with pytest.raises(ConfigError, match=shard.name):
        ShardReader(tmp_path / "copy", "train")
    shard.unlink()
    with pytest.raises(ConfigError, match=f"{shard.name}.*missing"):
        ShardReader(tmp_path / "copy", "train")


def test_a_picture_damaged_after_packing_is_named(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "copy")
    reader = ShardReader(tmp_path / "copy", "train")
    shard = tmp_path / "copy" / reader._locations[1][0]
    with open(shard, "r+b") as stream:
        stream.seek(reader._locations[1][1])
        stream.write(b"\0" * 64)
    with pytest.raises(ConfigError, match=rf"{shard.name}, sample {reader.table.keys[1]}: damaged since it was packed"):
        reader.image(1)
    assert reader.image(0).mode == "RGB"


def test_a_shard_that_is_cut_while_it_is_read_is_named(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "copy")
    reader = ShardReader(tmp_path / "copy", "train")
    path, offset, size = reader._locations[2]
    with open(tmp_path / "copy" / path, "r+b") as stream:
        stream.truncate(offset + size - 5)
    with pytest.raises(ConfigError, match=rf"{reader.table.keys[2]}: .* ends 5 bytes before the picture does"):
        reader.jpeg_bytes(2)
    assert len(reader.jpeg_bytes(1)) == reader._locations[1][2]


def test_sizes_are_of_the_pictures_before_packing(packed_sizes):
    reader = ShardReader(packed_sizes, "train")
    heights, widths = reader.table.sizes_px.T
    assert reader.table.sizes_px.dtype == np.float32
    assert set(heights) == {40.0} and set(widths) == {40.0, 50.0, 60.0, 70.0, 80.0, 90.0}
    assert min(reader.image(0).size) == 32


def test_a_subset_is_the_same_reader_with_fewer_samples(packed):
    reader = ShardReader(packed, "train")
    some = reader.subset(np.array([7, 2, 40]))
    assert len(some) == len(some.table.keys) == len(some.table.accepted) == 3
    for position, index in enumerate((7, 2, 40)):
        assert some.jpeg_bytes(position) == reader.jpeg_bytes(index)
        assert some.table.class_names[position] == reader.table.class_names[index]
        assert some.table.accepted[position] == reader.table.accepted[index]
    assert len(reader) > 40


def test_a_part_lists_what_a_reader_of_its_sources_lists(packed):
    whole, alone = ShardReader(packed, "train"), ShardReader(packed, "train", ("tiles",))
    part = whole.only(("tiles",))
    for name in ("keys", "sources", "domains", "class_names", "roles"):
        assert np.array_equal(getattr(part.table, name), getattr(alone.table, name))
    assert part.table.accepted == alone.table.accepted and len(part) == len(alone) < len(whole)
    assert [part.jpeg_bytes(n) for n in range(len(part))] == [alone.jpeg_bytes(n) for n in range(len(alone))]
    parent, rows = part.part_of
    assert parent is whole and np.array_equal(whole.table.keys[rows], part.table.keys)
    assert whole.part_of is None and set(whole.table.sources) == {"disks", "tiles"}


def test_a_split_that_is_not_packed_is_answered_with_those_that_are(packed):
    with pytest.raises(ConfigError, match="no split 'vall', did you mean 'val'\\?; known: test, train, val"):
        ShardReader(packed, "vall")
