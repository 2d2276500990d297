import numpy as np
import torch

from train.data.embeddings import choose_rows, embed_samples
from train.data.feature_cache import compute_features
from train.data.preprocessing import PreprocessSpec, View
from train.data.readers import ShardReader
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head
from train.model.image_model import ImageModel

SPEC = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)


def make_embedder():
    torch.manual_seed(0)
    return Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), build_head("linear", 16, 4)).eval()


def test_one_plain_view_gives_what_training_computes(packed):
    reader, embedder = ShardReader(packed, "val"), make_embedder()
    expected = compute_features(embedder, reader, SPEC)
    assert np.allclose(embed_samples(ImageModel([embedder], [SPEC]), reader, batch_size=5), expected, atol=1e-6)
    chosen = embed_samples(ImageModel([embedder], [SPEC]), reader, rows=[7, 2], batch_size=1)
    assert np.allclose(chosen, expected[[7, 2]], atol=1e-6)


def test_views_are_averaged(packed):
    reader, embedder = ShardReader(packed, "val"), make_embedder()
    larger = PreprocessSpec(24, SPEC.mean, SPEC.std)
    two = PreprocessSpec(16, SPEC.mean, SPEC.std, views=(View(), View(image_px=24)))
    total = compute_features(embedder, reader, SPEC) + compute_features(embedder, reader, larger)
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    assert np.allclose(embed_samples(ImageModel([embedder], [two]), reader), expected, atol=1e-6)
    assert not embedder.training


def test_rows_are_chosen_by_hash_not_by_position(packed):
    reader = ShardReader(packed, "train")
    rows = choose_rows(reader, 6, seed=0)
    assert len(rows) == 6 and rows == sorted(rows) and rows != list(range(6))
    assert choose_rows(reader, 10**6, seed=0) == list(range(len(reader)))
    assert choose_rows(reader, 6, seed=1) != rows
