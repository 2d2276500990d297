import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.data.feature_cache import compute_features
from train.data.readers import ShardReader
from train.retrieval.projection import fit_pca, unit_rows
from train.stages.runner import Places, run_stages
from train.stages.start import pick_of_each_domain, preprocess_of, starting_backbone

PCA = {"kind": "unit_linear", "out_dim": 6, "init": "pca", "init_whitening": 1.0}
RANDOM = {"kind": "unit_linear", "out_dim": 6, "bias": False}


def off_the_shelf(make_config, packed, run_dir, head, **changes):
    """(the written checkpoint, unit features [N, 16] of the test split, its embeddings)."""
    config = make_config(head=head, export_image_px=16, **changes)
    loaded = load_checkpoint(run_stages(config, Places(packed, run_dir), resume=False))
    reader = ShardReader(packed, "test")
    backbone = starting_backbone(config, 16)
    features = unit_rows(compute_features(backbone, reader, preprocess_of(backbone, 16, "squash")))
    return loaded, features, compute_features(loaded.embedder, reader, loaded.preprocess)


def test_the_towers_own_features(packed, make_config, tmp_path):
    loaded, features, embeddings = off_the_shelf(
        make_config, packed, tmp_path, {"kind": "identity", "out_dim": 16})
    assert np.allclose(embeddings, features, atol=1e-6)
    assert loaded.centres is None and loaded.meta["stage"] == "off_the_shelf" and 0 < loaded.meta["val"]["mMP@5"] < 1


def test_pca_whitening_is_fitted_on_unit_features_of_some_train_images_of_each_domain(packed, make_config, tmp_path):
    head = PCA | {"init_images_per_domain": 11}
    _, features, embeddings = off_the_shelf(make_config, packed, tmp_path, head)
    reader = ShardReader(packed, "train")
    some = reader.subset(pick_of_each_domain(reader, 11, seed=0))
    assert sorted(some.table.domains) == ["disks"] * 11 + ["tiles"] * 11
    backbone = starting_backbone(make_config(export_image_px=16), 16)
    fitted = unit_rows(compute_features(backbone, some, preprocess_of(backbone, 16, "squash")))
    assert np.allclose(embeddings, fit_pca(fitted, 6, whiten=True).project(features), atol=1e-3)


def test_a_random_projection_is_linear_and_its_seed_decides(packed, make_config, tmp_path):
    loaded, features, embeddings = off_the_shelf(make_config, packed, tmp_path / "a", RANDOM)
    weight = loaded.embedder.head[2].weight.detach().numpy()
    assert np.allclose(embeddings, unit_rows(features @ weight.T), atol=1e-5)
    same, _, _ = off_the_shelf(make_config, packed, tmp_path / "b", RANDOM)
    other, _, _ = off_the_shelf(make_config, packed, tmp_path / "c", RANDOM, seed=1)
    assert torch.equal(same.embedder.head[2].weight, loaded.embedder.head[2].weight)
    assert not torch.equal(other.embedder.head[2].weight, loaded.embedder.head[2].weight)


def test_an_identity_of_another_width_is_the_users_error(packed, make_config, tmp_path):
    with pytest.raises(ConfigError, match=r"expected head\.out_dim=16"):
        off_the_shelf(make_config, packed, tmp_path, {"kind": "identity", "out_dim": 8})
