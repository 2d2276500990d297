import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.errors import ConfigError
from train.data.preprocessing import PreprocessSpec, normalise_batch, preprocess, resize_image

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
    with pytest.raises(ConfigError, match="no resize rule 'pad'; known: shortest_crop, squash"):
        PreprocessSpec.from_dict(SPEC.to_dict() | {"resize": "pad"})
