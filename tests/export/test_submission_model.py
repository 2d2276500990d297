"""Raw image in, unit embedding out, for everything a caller may hand over."""

import pytest
import torch
from torch import nn

from export.submission_model import FrameViews, MemberModel, SizeModel, SubmissionModel, unit
from train.data.preprocessing import PreprocessSpec, View, normalise_batch


class ChannelMeans(nn.Module):
    """The simplest tower: [B, 3, S, S] -> [B, 3]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=[2, 3])


SPEC = PreprocessSpec(16, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))
PLAIN = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3)  # white is 1


def member(tower, spec, weight=1.0):
    """A tower without a head, with all its views."""
    sizes = [
        SizeModel(tower, nn.Identity(), [FrameViews(spec, frame, tall_first=True) for frame in frames])
        for frames in spec.frames_by_size().values()
    ]
    return MemberModel(sizes, weight)


def wrapped(tower, spec):
    return SubmissionModel([member(tower, spec)])


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


class Gives(nn.Module):
    """A tower that gives the same values [D] for every image, each times the image's mean red."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(values))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].mean(dim=[1, 2]).unsqueeze(1) * self.values


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("values", [(0.0, 0.0, 0.0, 0.0), (NAN, 1.0, 2.0, 3.0), (NAN,) * 4, (1.0, -INF, 0.0, 0.0)])
def test_what_is_no_embedding_becomes_the_same_unit_vector(values):
    white = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    embedding = torch.jit.script(wrapped(Gives(*values), PLAIN))(white)
    assert torch.equal(embedding, torch.full((2, 4), 0.5))  # 4 times 0.5: length 1


@pytest.mark.parametrize("scale", [1e-35, 1e-20, 1.0, 1e20, 3e38])
def test_length_one_whatever_the_length_of_the_features(scale):
    white = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    embedding = wrapped(Gives(0.6 * scale, 0.0, -0.8 * scale), PLAIN)(white)
    assert torch.allclose(embedding, torch.tensor([[0.6, 0.0, -0.8]]), atol=1e-6)


def test_only_the_image_without_an_embedding_gets_the_stand_in():
    pixels = torch.stack([torch.zeros(3, 8, 8), torch.full((3, 8, 8), 51.0)]).to(torch.uint8)
    assert torch.equal(unit(torch.tensor([[NAN, 1.0], [3.0, 4.0]])), torch.tensor([[0.0, 0.0], [0.6, 0.8]]))
    rows = wrapped(Gives(3.0, 0.0, 4.0), PLAIN)(pixels)  # times red 0 and 0.2
    assert torch.allclose(rows, torch.tensor([[3**-0.5] * 3, [0.6, 0.0, 0.8]]))


def test_a_member_or_view_without_an_embedding_does_not_count():
    white = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    joined = SubmissionModel([member(Gives(NAN, 1.0), PLAIN), member(Gives(0.6, 0.8), PLAIN)])
    assert torch.allclose(torch.jit.script(joined)(white), torch.tensor([[0.0, 0.0, 0.6, 0.8]]))
    # The second view sees the black top left: red 0 times infinity is not a number.
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(), View(crop=0.5, at="top_left")))
    pixels = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    pixels[:, :, :4, :4] = 0

    class Divides(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            red = images[:, 0].mean(dim=[1, 2])
            return torch.stack([red / red, red * 0.0], dim=1)

    assert torch.allclose(wrapped(Divides(), spec)(pixels), torch.tensor([[1.0, 0.0]]))


def test_a_single_weighted_member_is_unit_too():
    white = torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    assert torch.allclose(SubmissionModel([member(Gives(3.0, 4.0), PLAIN, 2.0)])(white), torch.tensor([[0.6, 0.8]]))


def test_floats_out_of_range_are_the_nearest_grey_level(model):
    pixels = image().float()
    expected = model(pixels)
    pixels[0, 0, 0, 0], pixels[0, 1, 2, 3] = 255.0, 0.0
    within = model(pixels)
    pixels[0, 0, 0, 0], pixels[0, 1, 2, 3] = INF, -3.0
    assert torch.equal(model(pixels), within) and not torch.equal(within, expected)


def test_shortest_crop_ignores_the_margins():
    spec = PreprocessSpec(16, SPEC.mean, SPEC.std, "shortest_crop")
    model = torch.jit.script(wrapped(ChannelMeans(), spec))
    pixels = image(16, 48)
    margins_changed = pixels.clone()
    margins_changed[..., :16] = 0
    margins_changed[..., 32:] = 255
    assert torch.equal(model(pixels), model(margins_changed))


class LeftAndRight(nn.Module):
    """[B, 3, S, S] -> mean of the left half's and of the right half's red: [B, 2]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.size(3) // 2
        return torch.stack([images[:, 0, :, :half].mean(dim=[1, 2]), images[:, 0, :, half:].mean(dim=[1, 2])], dim=1)


def test_two_views_by_hand():
    # Left half red 1, right half black, statistics 0 and 1: the plain view gives (1, 0), the flipped one (0, 1).
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(), View(flip=True)))
    half_red = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    half_red[:, 0, :, :2] = 255
    model = torch.jit.script(wrapped(LeftAndRight(), spec))
    assert torch.allclose(model(half_red), torch.tensor([[0.5**0.5, 0.5**0.5]]))
    assert torch.allclose(model(torch.cat([half_red, half_red // 2])), model(half_red).expand(2, -1))
    one = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(flip=True),))
    assert torch.allclose(wrapped(LeftAndRight(), one)(half_red), torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize(
    ("at", "corner"), [("top_left", (0, 0)), ("top_right", (0, 4)), ("bottom_left", (4, 0)), ("bottom_right", (4, 4)),
                       ("centre", (2, 2))])
def test_each_crop_sees_its_part_alone(at, corner):
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(crop=0.5, at=at),))
    pixels = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)  # what is cut out is 8 * 0.5 = 4 pixels wide
    top, left = corner
    pixels[0, 0, top : top + 4, left : left + 4] = 255
    pixels[0, 1] = 255 - pixels[0, 0]
    assert torch.equal(wrapped(ChannelMeans(), spec)(pixels), torch.tensor([[1.0, 0.0, 0.0]]))


def test_crops_of_one_square_resize_once(monkeypatch):
    places = ("centre", "top_left", "top_right", "bottom_left", "bottom_right")
    crops = tuple(View(crop=0.5, at=at, flip=flip) for at in places for flip in (False, True))
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(), *crops[:5], View(resize="pad"), *crops[5:]))
    (model,) = wrapped(ChannelMeans(), spec).members[0].sizes
    assert model.n_views == 12 and sum(model.needs_resize) == 3


def test_views_count_alike_whatever_the_length_of_their_features():
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3, views=(View(), View(crop=0.5), View(crop=0.5, flip=True)))
    pixels = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    pixels[:, 0, :, 2:4] = 200  # left of the centre: the crop sees (200, 0), its mirror image (0, 200)
    whole = wrapped(LeftAndRight(), PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3))(pixels)[0]
    expected = whole + torch.tensor([1.0, 0.0]) + torch.tensor([0.0, 1.0])
    assert torch.allclose(wrapped(LeftAndRight(), spec)(pixels)[0], expected / expected.norm(), atol=1e-6)


def test_two_members_and_a_projection_by_hand():
    spec = PreprocessSpec(4, (0.0,) * 3, (1.0,) * 3)
    red_left = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    red_left[:, 0, :, :2] = 255  # halves (1, 0); channel means (0.5, 0, 0): unit (1, 0, 0)
    members = [member(LeftAndRight(), spec), member(ChannelMeans(), spec, 2.0)]
    joined = torch.jit.script(SubmissionModel(members))(red_left)
    assert torch.allclose(joined, torch.tensor([[1.0, 0, 2.0, 0, 0]]) / 5**0.5)
    layer = nn.Linear(5, 2)
    layer.weight.data = torch.tensor([[3.0, 0, 0, 0, 0], [0, 0, 2.0, 0, 0]])
    layer.bias.data = torch.tensor([0.0, 0.0])
    # 3 * 1 = 3 and 2 * 2 = 4: length 5
    assert torch.allclose(torch.jit.script(SubmissionModel(members, layer))(red_left), torch.tensor([[0.6, 0.8]]))
