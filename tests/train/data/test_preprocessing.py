from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.errors import ConfigError
from train.data.preprocessing import Frame, PreprocessSpec, View, frame_image, normalise_batch, preprocess, resize_image

SPEC = PreprocessSpec(4, (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))


def test_pixels_are_scaled_then_normalised_by_channel():
    image = Image.new("RGB", (4, 4), (255, 0, 51))
    out = preprocess(image, SPEC)
    assert out.shape == (3, 4, 4) and out.dtype == torch.float32
    # (1 - .5) / .5 = 1; (0 - .25) / .25 = -1; (0.2 - 0) / 1 = 0.2
    assert out[:, 0, 0].tolist() == pytest.approx([1.0, -1.0, 0.2])


def test_squash_ignores_and_crop_keeps_the_aspect_ratio():
    # Left third red, middle green, right blue.
    pixels = np.zeros((10, 30, 3), np.uint8)
    for third in range(3):
        pixels[:, third * 10 : third * 10 + 10, third] = 255
    image = Image.fromarray(pixels)
    squashed = np.asarray(resize_image(image, PreprocessSpec(6, (0,) * 3, (1,) * 3)))
    assert squashed[3, 0].argmax() == 0 and squashed[3, 5].argmax() == 2
    cropped = np.asarray(resize_image(image, PreprocessSpec(6, (0,) * 3, (1,) * 3, "shortest_crop")))
    assert cropped.shape == (6, 6, 3) and (cropped.argmax(axis=2) == 1).all()


def test_batch_is_channels_last_and_equals_singles():
    pixels = torch.randint(0, 256, (2, 4, 4, 3), dtype=torch.uint8)
    batch = normalise_batch(pixels, SPEC)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    single = preprocess(Image.fromarray(pixels[1].numpy()), SPEC)
    assert torch.allclose(batch[1], single, atol=1e-6)


def test_travels_as_plain_values():
    assert PreprocessSpec.from_dict(SPEC.to_dict()) == SPEC
    with pytest.raises(ConfigError, match="no resize rule 'fit'; known: pad, shortest_crop, squash"):
        PreprocessSpec.from_dict(SPEC.to_dict() | {"resize": "fit"})
    with pytest.raises(ConfigError, match="no resize rule 'fit'"):
        PreprocessSpec.from_dict(SPEC.to_dict() | {"views": [{"resize": "fit"}]})


def test_views_travel_too_and_one_plain_view_leaves_the_file_as_it_was():
    assert "views" not in SPEC.to_dict()
    spec = PreprocessSpec(4, SPEC.mean, SPEC.std, views=(View(), View(6, "pad", 0.9, True)))
    assert PreprocessSpec.from_dict(spec.to_dict()) == spec


def test_a_frame_is_cut_once_for_all_its_flips():
    views = (View(), View(crop=0.5), View(flip=True), View(image_px=8, resize="pad"))
    spec = PreprocessSpec(4, SPEC.mean, SPEC.std, views=views)
    assert spec.frames() == {
        Frame(4, "squash", 1.0): (False, True), Frame(4, "squash", 0.5): (False,), Frame(8, "pad", 1.0): (False,),
    }
    whole, centre, padded = spec.frames()
    assert spec.frames_by_size() == {4: [whole, centre], 8: [padded]}


def test_a_crop_keeps_the_centre():
    # 8 x 8 is the size before cropping, so nothing is resized: 4 px of centre, 2 px of margin.
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    cropped = np.asarray(frame_image(Image.fromarray(pixels), Frame(4, "squash", 0.5), (0, 0, 0)))
    assert (cropped == pixels[2:6, 2:6]).all()
    assert Frame(224, "squash", 0.9).resized_px == 249  # 224 / 0.9 = 248.9


@pytest.mark.parametrize(
    ("at", "rows", "columns"), [("top_left", (0, 4), (0, 4)), ("top_right", (0, 4), (4, 8)),
                                ("bottom_left", (4, 8), (0, 4)), ("bottom_right", (4, 8), (4, 8))])
def test_a_crop_keeps_the_corner_it_names(at, rows, columns):
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    cropped = np.asarray(frame_image(Image.fromarray(pixels), Frame(4, "squash", 0.5, at), (0, 0, 0)))
    assert (cropped == pixels[slice(*rows), slice(*columns)]).all()


def test_where_a_crop_lies_travels_and_is_checked():
    spec = PreprocessSpec(4, SPEC.mean, SPEC.std, views=(View(crop=0.8, at="top_left"), View(crop=0.8)))
    assert PreprocessSpec.from_dict(spec.to_dict()) == spec and len(spec.frames()) == 2
    before = spec.to_dict()
    for view in before["views"]:
        del view["at"]  # as checkpoints were written before crops had a place
    assert {view.at for view in PreprocessSpec.from_dict(before).views} == {"centre"}
    with pytest.raises(ConfigError, match="no place 'left' of a crop; known: centre, top_left"):
        PreprocessSpec.from_dict(SPEC.to_dict() | {"views": [{"crop": 0.8, "at": "left"}]})


def test_of_a_very_long_image_only_the_centre_counts():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 101, 3), dtype=np.uint8)
    spec = PreprocessSpec(6, (0,) * 3, (1,) * 3, "shortest_crop")
    # 3 pixels high, so 24 columns count, and one more because 101 - 24 is odd: 38 to the left and to the right go.
    for turn in (False, True):
        images = [np.ascontiguousarray(one.swapaxes(0, 1) if turn else one) for one in (pixels, pixels[:, 38:63])]
        whole, centre = (np.asarray(resize_image(Image.fromarray(one), spec)) for one in images)
        assert (whole == centre).all()
    not_long = rng.integers(0, 256, (3, 24, 3), dtype=np.uint8)
    resized = np.asarray(Image.fromarray(not_long).resize((48, 6), Image.Resampling.BICUBIC))
    assert (np.asarray(resize_image(Image.fromarray(not_long), spec)) == resized[:, 21:27]).all()
    # 60 million columns' worth of memory would be 86 GB.
    assert resize_image(Image.new("RGB", (60_000, 1)), replace(spec, image_px=224)).size == (224, 224)



def test_padding_keeps_everything_between_mean_colours():
    image = Image.new("RGB", (8, 4), (10, 20, 30))
    padded = np.asarray(frame_image(image, Frame(8, "pad", 1.0), PreprocessSpec(8, (0.5, 0.25, 0.0), (1,) * 3).fill()))
    assert padded[2:6].reshape(-1, 3).tolist() == [[10, 20, 30]] * 32
    assert padded[[0, 1, 6, 7]].reshape(-1, 3).tolist() == [[128, 64, 0]] * 32  # round(127.5), round(63.75)
