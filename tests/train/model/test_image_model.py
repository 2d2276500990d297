import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from train.data.preprocessing import PreprocessSpec, View, preprocess
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.image_model import ImageModel

PLAIN = PreprocessSpec(2, (0.0,) * 3, (1.0,) * 3)
SIZES = torch.tensor([[2.0, 2.0]])


class Columns(nn.Module):
    """[B, 3, 2, 2] -> red of the left and of the right column of the first row."""

    width = 2

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return images[:, 0, 0, :] * self.scale


def picture(left, right):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[:, 0, 0], pixels[:, 1, 0] = left, right
    return Image.fromarray(pixels)


def embedder():
    return Embedder(Columns(), nn.Identity()).eval()


@torch.no_grad()
def test_two_views_by_hand():
    model = ImageModel([embedder()], [PreprocessSpec(2, PLAIN.mean, PLAIN.std, views=(View(), View(flip=True)))])
    # (3, 4) / 5 and its mirror image (4, 3) / 5: the mean points to (1, 1)
    assert torch.allclose(model.embed([picture(150, 200)], SIZES), torch.full((1, 2), 0.5**0.5))
    single = ImageModel([embedder()], [PreprocessSpec(2, PLAIN.mean, PLAIN.std, views=(View(flip=True),))])
    assert torch.allclose(single.embed([picture(150, 200)], SIZES), torch.tensor([[0.8, 0.6]]))


@torch.no_grad()
def test_members_are_weighted_joined_and_projected():
    flipped = PreprocessSpec(2, PLAIN.mean, PLAIN.std, views=(View(flip=True),))
    joined = ImageModel([embedder(), embedder()], [PLAIN, flipped], weights=[1.0, 2.0])
    expected = torch.tensor([[0.6, 0.8, 2 * 0.8, 2 * 0.6]]) / 5**0.5
    assert torch.allclose(joined.embed([picture(150, 200)], SIZES), expected)
    layer = nn.Linear(4, 2)
    layer.weight.data, layer.bias.data = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]]), torch.tensor([0.2, -0.6])
    projected = ImageModel([embedder(), embedder()], [PLAIN, flipped], projection=layer)
    # (0.6 + 0.2, 0.6 - 0.6)
    assert torch.allclose(projected.embed([picture(150, 200)], SIZES), torch.tensor([[1.0, 0.0]]), atol=1e-6)


@torch.no_grad()
def test_one_plain_view_is_the_embedder_itself():
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 16))
    plain, spec = Embedder(backbone, nn.Linear(16, 4)).eval(), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8))
    expected = plain(preprocess(image, spec)[None])
    assert torch.allclose(ImageModel([plain], [spec]).embed([image], SIZES), expected, atol=1e-6)


def test_wrapping_changes_no_mode_and_counts_its_parts():
    training = embedder().train()
    assert ImageModel([training], [PLAIN]).training and training.training
    assert not ImageModel([embedder()], [PLAIN]).training
    with pytest.raises(ValueError, match="1 embedders, 2 specs"):
        ImageModel([embedder()], [PLAIN, PLAIN])
