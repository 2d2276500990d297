import pickle

import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.data.augmentation import build_augmentation
from train.data.datasets import NumberedViews, OrderedBatches, PlannedBatches, PlannedFeatures, draw_views
from train.data.preprocessing import PreprocessSpec, resize_image
from train.data.readers import ShardReader


def noisy(jpeg, seed):
    """A stand-in for an augmentation: its output is the seed and the length of the file."""
    return np.array([[[seed % 251, seed % 241, len(jpeg) % 239]]], np.uint8)


def test_a_step_looks_the_same_whether_or_not_the_run_was_cut_before_it(packed):
    reader = ShardReader(packed, "train")
    plan = np.arange(24).reshape(6, 4)
    whole = PlannedBatches(reader, plan, 0, noisy, seed=3)
    rest = PlannedBatches(reader, plan[4:], 4, noisy, seed=3)
    for key in ("pixels", "indices"):
        assert torch.equal(whole[5][key], rest[1][key])
    assert not torch.equal(whole[4]["pixels"][..., :2], whole[5]["pixels"][..., :2])  # other step, other seeds
    other = PlannedBatches(reader, plan, 0, noisy, seed=4)
    assert not torch.equal(whole[5]["pixels"], other[5]["pixels"])


def test_an_image_looks_the_same_whichever_process_takes_it(packed):
    reader, plan = ShardReader(packed, "train"), np.arange(14).reshape(2, 7)
    whole = PlannedBatches(reader, plan, 0, noisy, seed=3)[1]
    parts = [PlannedBatches(reader, plan, 0, noisy, 3, (number, 3))[1] for number in range(3)]
    assert [len(part["indices"]) for part in parts] == [3, 2, 2]
    for number, part in enumerate(parts):
        for key in ("pixels", "indices", "sizes_px"):
            assert torch.equal(part[key], whole[key][number::3])


@pytest.mark.parametrize("preset", ["none", "light"])
def test_a_picture_that_does_not_decode_is_named(packed, monkeypatch, preset):
    reader = ShardReader(packed, "train")
    monkeypatch.setattr(reader, "jpeg_bytes", lambda index: b"no picture")
    augment = build_augmentation(preset, 16, 0.5, True)
    with pytest.raises(ConfigError, match=f"sample {reader.table.keys[2]}: damaged .*: cannot identify"):
        PlannedBatches(reader, np.array([[2]]), 0, augment, seed=3)[0]


def test_ordered_batches_cover_everything_once_and_match_the_single_image_rule(packed):
    reader = ShardReader(packed, "val")
    spec = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    batches = OrderedBatches(reader, spec, batch_size=7)
    indices = torch.cat([batches[b]["indices"] for b in range(len(batches))])
    assert indices.tolist() == list(range(len(reader)))
    assert np.array_equal(batches[0]["pixels"][3].numpy(), np.asarray(resize_image(reader.image(3), spec)))


def test_cached_features_are_looked_up_by_sample(packed):
    features = np.arange(10, dtype=np.float32).reshape(5, 2)
    batch = PlannedFeatures(features, np.array([[4, 0]]), ShardReader(packed, "val").table)[0]
    assert batch["features"].tolist() == [[8.0, 9.0], [0.0, 1.0]] and batch["indices"].tolist() == [4, 0]


def test_every_kind_of_batch_tells_the_size_of_the_original_pictures(packed_sizes):
    reader = ShardReader(packed_sizes, "train")
    plan, spec = np.array([[3, 0]]), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    expected = reader.table.sizes_px[[3, 0]].tolist()
    assert PlannedBatches(reader, plan, 0, noisy, seed=3)[0]["sizes_px"].tolist() == expected
    assert PlannedFeatures(np.zeros((9, 2), np.float32), plan, reader.table)[0]["sizes_px"].tolist() == expected
    ordered = OrderedBatches(reader, spec, batch_size=2)[1]["sizes_px"]
    assert ordered.tolist() == reader.table.sizes_px[2:4].tolist()


def test_datasets_travel_to_worker_processes(packed):
    reader = ShardReader(packed, "val")
    reader.jpeg_bytes(0)  # opens a file
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.jpeg_bytes(1) == reader.jpeg_bytes(1)


def test_numbered_views_go_through_all_samples_view_by_view(packed):
    reader = ShardReader(packed, "val")
    n = len(reader)
    batches = NumberedViews(reader, 2, noisy, batch_size=7)
    items = [batches[number] for number in range(len(batches))]
    assert torch.cat([item["indices"] for item in items]).tolist() == 2 * list(range(n))
    pixels = torch.cat([item["pixels"] for item in items])
    for row in (0, n - 1, n, 2 * n - 1):
        assert pixels[row].tolist() == noisy(reader.jpeg_bytes(row % n), row).tolist()


def test_a_view_is_looked_up_for_each_image(packed):
    features = np.arange(20, dtype=np.float32).reshape(2, 5, 2)
    table = ShardReader(packed, "val").table
    batch = PlannedFeatures(features, np.array([[4, 0]]), table, np.array([[1, 0]]))[0]
    assert batch["features"].tolist() == [[18.0, 19.0], [0.0, 1.0]]


def test_drawn_views_are_even_and_those_of_an_uninterrupted_run():
    drawn = draw_views(3, (50, 12), first_step=0, seed=1)
    assert np.bincount(drawn.ravel(), minlength=3).min() > 150
    assert np.array_equal(draw_views(3, (20, 12), first_step=30, seed=1), drawn[30:])
    assert not np.array_equal(draw_views(3, (50, 12), first_step=0, seed=2), drawn)
