import pytest
import torch
from torch import nn

from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder, build_embedder, size_numbers


def test_features_then_head_then_unit_length():
    head = nn.Linear(3, 2, bias=False)
    head.weight.data = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    embedder = Embedder(nn.Flatten(1), head)
    images = torch.tensor([1.0, 1.0, 5.0]).view(1, 3, 1, 1)
    assert embedder.features(images).tolist() == [[1.0, 1.0, 5.0]]
    # (3, 4) has length 5
    assert torch.allclose(embedder(images), torch.tensor([[0.6, 0.8]]))


def test_embeddings_are_float32_under_autocast():
    embedder = Embedder(nn.Flatten(1), nn.Linear(3, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = embedder(torch.randn(4, 3, 1, 1))
    assert out.dtype == torch.float32
    assert torch.allclose(out.norm(dim=1), torch.ones(4), atol=1e-6)


def test_the_three_size_numbers_by_hand():
    # 448 high and 112 wide: H/W = 4, H/224 = 2, W/224 = 0.5
    assert size_numbers(torch.tensor([[448.0, 112.0], [224.0, 224.0]])).tolist() == [[4.0, 2.0, 0.5], [1.0, 1.0, 1.0]]


def test_the_head_sees_the_image_sizes_behind_the_features():
    head = nn.Linear(6, 2, bias=False)
    head.weight.data = torch.tensor([[1.0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1.0]])
    embedder = Embedder(nn.Flatten(1), head, image_sizes=True)
    images, sizes_px = torch.tensor([2.0, 8.0, 8.0]).view(1, 3, 1, 1), torch.tensor([[448.0, 448.0]])
    # feature 2 + H/W 1 = 3 and W/224 = 2
    assert embedder.project_raw(embedder.features(images), sizes_px).tolist() == [[3.0, 2.0]]
    assert torch.allclose(embedder(images, sizes_px), torch.tensor([[3.0, 2.0]]) / 13**0.5)
    with pytest.raises(ValueError, match="needs sizes_px"):
        embedder(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert embedder(images, sizes_px).dtype == torch.float32


def test_sizes_change_nothing_where_they_are_not_looked_at():
    embedder = Embedder(nn.Flatten(1), nn.Linear(3, 2))
    images = torch.randn(1, 3, 1, 1)
    assert torch.equal(embedder(images), embedder(images, torch.tensor([[9.0, 1.0]])))


def test_built_from_a_checkpoints_description():
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    plain = build_embedder(backbone, {"kind": "linear", "out_dim": 4, "hidden_dim": 8})
    assert plain.head[1].in_features == 16 and not plain.image_sizes
    fifth = build_embedder(backbone, {"kind": "bn_linear", "out_dim": 4, "image_sizes": True,
                                      "options": {"bn_affine": False, "bn_eps": 1e-6}})
    assert fifth.head[0].num_features == fifth.head[2].in_features == 19 and fifth.image_sizes
