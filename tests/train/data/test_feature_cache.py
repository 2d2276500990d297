from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.errors import TrainingError
from train.data import feature_cache
from train.data.augmentation import build_augmentation
from train.data.feature_cache import AugmentedViews, cached_features, compute_features, hash_of_state
from train.data.preprocessing import PreprocessSpec, normalise_batch, preprocess
from train.data.readers import ShardReader
from train.model.backbones import BackboneSpec, build_backbone

SPEC = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture
def tower():
    return build_backbone(BackboneSpec("tiny", "conv16", None, 16))


def test_features_equal_one_image_at_a_time_and_the_mode_is_put_back(packed, tower):
    reader = ShardReader(packed, "val")
    tower.train()
    features = compute_features(tower, reader, SPEC, batch_size=5)
    assert tower.training
    tower.eval()
    with torch.no_grad():
        alone = tower(preprocess(reader.image(6), SPEC)[None])[0].numpy()
    assert features.shape == (len(reader), 16) and np.allclose(features[6], alone, atol=1e-5)


def test_computed_once_until_anything_changes(packed, tower, tmp_path, monkeypatch):
    reader = ShardReader(packed, "val")
    first = cached_features(tower, reader, SPEC, tmp_path)
    calls = []
    real = feature_cache.feature_rows
    monkeypatch.setattr(feature_cache, "feature_rows", lambda *a, **k: calls.append(1) or real(*a, **k))
    assert np.array_equal(cached_features(tower, reader, SPEC, tmp_path), first) and not calls
    cached_features(tower, reader, PreprocessSpec(24, SPEC.mean, SPEC.std), tmp_path)
    assert len(calls) == 1
    next(tower.parameters()).data.add_(1)
    cached_features(tower, reader, SPEC, tmp_path)
    assert len(calls) == 2
    cached_features(tower, ShardReader(packed, "val", ("tiles",)), SPEC, tmp_path)
    assert len(calls) == 3


def test_the_same_weights_in_another_form_are_another_tower(packed, tmp_path):
    reader, spec = ShardReader(packed, "val"), PreprocessSpec(96, (0.5,) * 3, (0.5,) * 3)
    torch.manual_seed(0)
    own = build_backbone(BackboneSpec("timm", "resnet18", None, 96))
    gem = build_backbone(replace(own.spec, output="gem"))
    gem.load_state_dict(own.state_dict())
    assert hash_of_state(gem) == hash_of_state(own)
    features = [np.array(cached_features(tower, reader, spec, tmp_path)) for tower in (own, gem)]
    assert np.allclose(features[1], compute_features(gem, reader, spec), atol=1e-5)
    assert not np.allclose(*features, atol=1e-3)
    own.spec = replace(own.spec, weights="file:x", image_px=64)  # says where the weights came from, not what they make
    assert np.array_equal(cached_features(own, reader, spec, tmp_path), features[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_half_precision_is_another_file_of_nearly_the_same_features(packed, tower, tmp_path):
    reader = ShardReader(packed, "val")
    whole, half = (np.array(cached_features(tower, reader, SPEC, tmp_path, precision=precision))
                   for precision in ("32-true", "bf16-mixed"))
    assert whole.dtype == half.dtype == np.float32 and len(list(tmp_path.iterdir())) == 2
    assert np.allclose(half, whole, atol=0.02 * np.abs(whole).max()) and not np.allclose(half, whole, rtol=1e-5)
    # On a CPU 16-mixed is bfloat16, as in Lightning's loop.
    assert np.array_equal(cached_features(tower, reader, SPEC, tmp_path, precision="16-mixed"), half)
    assert np.array_equal(compute_features(tower, reader, SPEC, precision="bf16-mixed"), half)
    cached_features(tower, ShardReader(packed, "train"), SPEC, tmp_path, VIEWS, precision="bf16-mixed")
    part = cached_features(tower, ShardReader(packed, "train").only(("tiles",)), SPEC, tmp_path, VIEWS,
                           precision="bf16-mixed")
    assert len(list(tmp_path.iterdir())) == 3 and len(part) == VIEWS.n_views


def test_features_that_are_no_numbers_are_kept_by_no_file(packed, tower, tmp_path):
    next(tower.parameters()).data.fill_(torch.inf)
    with pytest.raises(TrainingError, match=r"features \(val, 16 px\): .* batch 0 \(of \d+ images\) under precision"):
        cached_features(tower, ShardReader(packed, "val"), SPEC, tmp_path)
    assert not list(tmp_path.glob("*.npy"))


def test_a_part_takes_its_rows_from_the_whole(packed, tower, tmp_path, monkeypatch):
    whole = ShardReader(packed, "train")
    everything = cached_features(tower, whole, SPEC, tmp_path)
    monkeypatch.setattr(feature_cache, "feature_rows", None)
    part = whole.only(("tiles",))
    rows = np.flatnonzero(whole.table.sources == "tiles")
    assert np.array_equal(cached_features(tower, part, SPEC, tmp_path), everything[rows]) and len(part) == len(rows)


def test_the_hash_sees_values_buffers_and_not_memory_format(tower):
    before = hash_of_state(tower)
    assert hash_of_state(tower.to(memory_format=torch.channels_last)) == before
    tower.tower[1].running_mean[0] += 1
    assert hash_of_state(tower) != before


VIEWS = AugmentedViews(3, "light", 0.5, True)


def test_views_are_features_of_augmented_images(packed, tower, tmp_path):
    """View 2 of sample 6, N samples: the image augmented with seed 2 N + 6."""
    reader = ShardReader(packed, "val")
    views = cached_features(tower, reader, SPEC, tmp_path, VIEWS)
    assert isinstance(views, np.memmap) and views.shape == (3, len(reader), 16)
    augment, seed = build_augmentation("light", 16, 0.5, True), 2 * len(reader) + 6
    pixels = torch.from_numpy(augment(reader.jpeg_bytes(6), seed))[None]
    with torch.no_grad():
        expected = tower.eval()(normalise_batch(pixels, SPEC))[0].numpy()
    assert np.allclose(views[2, 6], expected, atol=1e-5)
    assert not np.allclose(views[0], views[1], atol=1e-3)


def test_other_views_or_another_augmentation_are_other_features(packed, tower, tmp_path):
    reader = ShardReader(packed, "val")
    for views in (None, VIEWS, replace(VIEWS, n_views=2), replace(VIEWS, preset="crop"),
                  replace(VIEWS, min_crop_scale=0.9), replace(VIEWS, horizontal_flip=False)):
        before = len(list(tmp_path.iterdir()))
        cached_features(tower, reader, SPEC, tmp_path, views)
        assert len(list(tmp_path.iterdir())) == before + 1, views
    cached_features(tower, reader, SPEC, tmp_path, VIEWS)
    assert len(list(tmp_path.iterdir())) == 6


def test_views_of_a_part_are_those_of_the_whole(packed, tower, tmp_path):
    whole = ShardReader(packed, "train")
    rows = np.flatnonzero(whole.table.sources == "tiles")
    everything = cached_features(tower, whole, SPEC, tmp_path, VIEWS)
    assert np.array_equal(cached_features(tower, whole.only(("tiles",)), SPEC, tmp_path, VIEWS), everything[:, rows])


def test_computing_leaves_the_random_numbers_of_the_run_alone(packed, tower, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    cached_features(tower, ShardReader(packed, "val"), SPEC, tmp_path)
    assert torch.equal(torch.rand(4), expected)
