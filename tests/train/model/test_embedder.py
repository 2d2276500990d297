import torch
from torch import nn

from train.model.embedder import Embedder


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
