import numpy as np
import pytest
import torch

from train.data import feature_cache
from train.data.feature_cache import cached_features, compute_features, hash_of_state
from train.data.preprocessing import PreprocessSpec, preprocess
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
    real = feature_cache.compute_features
    monkeypatch.setattr(feature_cache, "compute_features", lambda *a, **k: calls.append(1) or real(*a, **k))
    assert np.array_equal(cached_features(tower, reader, SPEC, tmp_path), first) and not calls
    cached_features(tower, reader, PreprocessSpec(24, SPEC.mean, SPEC.std), tmp_path)
    assert len(calls) == 1
    next(tower.parameters()).data.add_(1)
    cached_features(tower, reader, SPEC, tmp_path)
    assert len(calls) == 2
    cached_features(tower, ShardReader(packed, "val", ("tiles",)), SPEC, tmp_path)
    assert len(calls) == 3


def test_a_part_takes_its_rows_from_the_whole(packed, tower, tmp_path, monkeypatch):
    whole = ShardReader(packed, "train")
    everything = cached_features(tower, whole, SPEC, tmp_path)
    monkeypatch.setattr(feature_cache, "compute_features", None)
    part = whole.only(("tiles",))
    rows = np.flatnonzero(whole.table.sources == "tiles")
    assert np.array_equal(cached_features(tower, part, SPEC, tmp_path), everything[rows]) and len(part) == len(rows)


def test_the_hash_sees_values_buffers_and_not_memory_format(tower):
    before = hash_of_state(tower)
    assert hash_of_state(tower.to(memory_format=torch.channels_last)) == before
    tower.tower[1].running_mean[0] += 1
    assert hash_of_state(tower) != before
