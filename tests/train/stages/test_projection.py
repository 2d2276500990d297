import numpy as np
import pytest
import torch

from train.config import ProjectionConfig
from train.data.augmentation import build_augmentation
from train.data.embeddings import choose_rows
from train.data.feature_cache import AugmentedViews
from train.data.preprocessing import PreprocessSpec, normalise_batch
from train.data.readers import ShardReader
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder
from train.retrieval.projection import fit_partly_whitened, fit_pca, unit_rows
from train.stages.projection import fit_projection, outputs_and_features, projected

HEADS = [
    {"kind": "linear"}, {"kind": "linear", "options": {"bias": False}}, {"kind": "bn_linear"}, {"kind": "mlp"},
    {"kind": "parallel", "options": {"dropouts": [0.1, 0.2]}}, {"kind": "linear_bn"}, {"kind": "root_linear"},
    {"kind": "multi_sample", "options": {"dropouts": [0.1, 0.2], "bias": False}},
]


@pytest.mark.parametrize("after", ["raw", "unit"])
@pytest.mark.parametrize("head", HEADS, ids=lambda head: "-".join([head["kind"], *head.get("options", {})]))
@torch.no_grad()
def test_every_head_projects_and_is_rebuilt_from_its_description(head, after):
    torch.manual_seed(0)
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    spec = head | {"out_dim": 8, "hidden_dim": 12}
    embedder = build_embedder(backbone, spec).eval()
    features = torch.randn(50, 16)
    raw = embedder.project_raw(features).numpy()
    pca = fit_pca(unit_rows(raw) if after == "unit" else raw, 3, whiten=False)
    shorter, new_spec = projected(embedder, spec, pca, after)
    expected = pca.project(unit_rows(raw) if after == "unit" else raw)
    assert np.allclose(shorter.project(features).numpy(), expected, atol=1e-4)
    again = build_embedder(backbone, new_spec).eval()
    again.load_state_dict(shorter.state_dict())
    assert torch.equal(again.project(features), shorter.project(features))
    folds = after == "raw" and head["kind"] != "linear_bn"
    assert ("projection" in new_spec) == (not folds) and (new_spec["out_dim"] == 3) == folds
    # The embedder handed in is left alone.
    assert torch.equal(embedder.project_raw(features), torch.from_numpy(raw))


def test_whitening_between_none_and_all():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 5)) * [5.0, 3.0, 2.0, 1.0, 0.5] + 1.0
    spread = {w: ((features - (p := fit_partly_whitened(features, 3, w)).mean) @ p.matrix.T).std(axis=0)
              for w in (0.0, 0.5, 1.0)}
    assert np.allclose(spread[0.0], ((features - features.mean(0)) @ fit_pca(features, 3, False).matrix.T).std(axis=0))
    assert np.allclose(spread[1.0], spread[0.0][0])  # all as wide as the first
    assert np.allclose(spread[0.5], np.sqrt(spread[0.0] * spread[0.0][0]))
    whitened, own = (fit(features) for fit in (lambda f: fit_pca(f, 3, True), lambda f: fit_partly_whitened(f, 3, 1.0)))
    assert np.allclose(whitened.project(features), own.project(features), atol=1e-5)


@torch.no_grad()
def test_it_is_fitted_on_plain_images_and_then_on_random_looks_at_them(packed):
    reader, spec = ShardReader(packed, "train"), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    embedder = build_embedder(backbone, {"kind": "linear", "out_dim": 8}).eval()
    config = ProjectionConfig(out_dim=3, after="raw", images=10, augmented_views=2, augmentation={"preset": "crop"})
    chosen = reader.subset(np.array(choose_rows(reader, 10, 0)))
    plain, features = outputs_and_features(embedder, chosen, spec)
    assert plain.shape == (10, 8) and features.shape == (10, 16)
    views = AugmentedViews(2, "crop", 0.5, True)
    outputs, features = outputs_and_features(embedder, chosen, spec, views)
    assert outputs.shape == (30, 8) and features.shape == (30, 16) and np.array_equal(outputs[:10], plain)
    look = torch.from_numpy(build_augmentation("crop", 16, 0.5, True)(chosen.jpeg_bytes(4), 14))  # second view of row 4
    alone = embedder.backbone(normalise_batch(look[None], spec))
    assert np.allclose(features[24], alone[0], atol=1e-5)
    assert np.allclose(outputs[24], embedder.project_raw(alone)[0], atol=1e-5)
    fitted = fit_projection(embedder, reader, spec, config, seed=0)
    assert np.allclose(fitted.matrix, fit_pca(outputs, 3, whiten=False).matrix)
    assert outputs_and_features(embedder, chosen, spec, views, keep_features=False)[1] is None
