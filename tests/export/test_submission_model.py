"""Raw image in, unit embedding out, for everything a caller may hand over."""

import pytest
import torch
from torch import nn

from export.submission_model import FrameModel, MemberModel, SubmissionModel
from train.data.preprocessing import PreprocessSpec, normalise_batch


class ChannelMeans(nn.Module):
    """The simplest tower: [B, 3, S, S] -> [B, 3]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=[2, 3])


SPEC = PreprocessSpec(16, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))


def wrapped(tower, spec):
    """One tower without a head, with all its views."""
    frames = [FrameModel(tower, nn.Identity(), spec, frame, tall_first=True) for frame in spec.frames()]
    return SubmissionModel([MemberModel(frames)])


@pytest.fixture(scope="module")
def model():
    return torch.jit.script(wrapped(ChannelMeans(), SPEC).eval())


def image(height_px=20, width_px=30):
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (1, 3, height_px, width_px), dtype=torch.uint8, generator=generator)


def test_statistics_by_hand(model):
    plain = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 5, 9)
    # (1 - 0.5) / 0.5 = 1, (0 - 0.4) / 0.25 = -1.6, (0.2 - 0.3) / 0.2 = -0.5; length sqrt(1 + 2.56 + 0.25) =
    # 1.951922
    expected = torch.tensor([[1.0, -1.6, -0.5]]) / 1.951922
    assert torch.allclose(model(plain), expected, atol=1e-5)


def test_same_numbers_as_the_training_side_at_the_models_size(model):
    pixels = image(16, 16)
    normalised = normalise_batch(pixels.permute(0, 2, 3, 1), SPEC)
    expected = nn.functional.normalize(normalised.mean(dim=(2, 3)), dim=1)
    assert torch.allclose(model(pixels), expected, atol=1e-6)


def test_forgiving_about_type_and_axes(model):
    pixels = image()
    expected = model(pixels)
    assert expected.dtype == torch.float32 and expected.shape == (1, 3)
    for same in (
        pixels[0],
        pixels.float(),
        pixels.long(),
        pixels.double(),
        pixels.contiguous(memory_format=torch.channels_last),
    ):
        assert torch.equal(model(same), expected)
    assert torch.allclose(model(pixels.float() / 255), expected, atol=1e-5)
    assert torch.allclose(model(torch.cat([pixels, pixels.flip(3)]))[:1], expected, atol=1e-6)
    assert model(pixels[:, :1]).shape == (1, 3)


def test_dark_bytes_are_not_taken_for_floats(model):
    dark = torch.ones(1, 3, 8, 8, dtype=torch.uint8)
    expected = (torch.full((3,), 1 / 255) - torch.tensor(SPEC.mean)) / torch.tensor(SPEC.std)
    assert torch.allclose(model(dark)[0], expected / expected.norm(), atol=1e-6)


def test_zero_embedding_is_finite():
    class Nothing(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=[2, 3]) * 0.0

    model = wrapped(Nothing(), SPEC)
    assert torch.equal(model(image()), torch.zeros(1, 3))


def test_shortest_crop_ignores_the_margins():
    spec = PreprocessSpec(16, SPEC.mean, SPEC.std, "shortest_crop")
    model = torch.jit.script(wrapped(ChannelMeans(), spec))
    pixels = image(16, 48)
    margins_changed = pixels.clone()
    margins_changed[..., :16] = 0
    margins_changed[..., 32:] = 255
    assert torch.equal(model(pixels), model(margins_changed))
