import io

import numpy as np
import pytest
from PIL import Image

from data_prep.jpeg_codec import SCALES, decode_jpeg, encode_jpeg, jpeg_size


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = 128 + 60 * np.sin(x / 9) + 60 * np.cos(y / 7)
    return np.stack([waves, waves[::-1], 255 - waves], axis=2).astype(np.uint8)


def by_pillow(rgb, **options):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_the_whole_picture_is_the_one_pillow_decodes(options):
    content = by_pillow(picture(203, 101), **options)
    pixels = decode_jpeg(content, (203, 101), 1)
    assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("scale", SCALES)
def test_scaled_sides_are_rounded_up_and_hold_the_same_picture(scale):
    content = by_pillow(picture(203, 101))
    pixels = decode_jpeg(content, (203, 101), scale)
    assert pixels.shape == (-(-101 // scale), -(-203 // scale), 3)
    if scale > 1:
        image = Image.open(io.BytesIO(content))
        image.draft("RGB", (203 // scale, 101 // scale))
        assert np.abs(pixels.astype(int) - np.asarray(image)).max() <= 1


def test_grey_files_become_rgb():
    pixels = decode_jpeg(by_pillow(picture(64, 48)[..., 0]), (64, 48), 1)
    assert pixels.shape == (48, 64, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_any_complaint_gives_none():
    content = by_pillow(picture(203, 101))
    assert decode_jpeg(content[: len(content) // 2], (203, 101), 1) is None
    assert decode_jpeg(content[:-2], (203, 101), 1) is None  # nothing but the end mark is missing
    assert decode_jpeg(b"no JPEG", (203, 101), 1) is None
    assert decode_jpeg(content, (204, 101), 1) is None  # another size than the header was read to say


def test_encoded_files_are_baseline_with_halved_chroma():
    rgb = picture(64, 48)
    content = encode_jpeg(rgb, 92)
    image = Image.open(io.BytesIO(content))
    assert (image.mode, image.size, "progressive" in image.info) == ("RGB", (64, 48), False)
    assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]
    assert image.quantization == Image.open(io.BytesIO(by_pillow_at(rgb, 92))).quantization
    assert np.abs(np.asarray(image).astype(int) - rgb).mean() < 3


def by_pillow_at(rgb, quality):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_a_cut_out_of_a_larger_picture_can_be_encoded():
    rgb = picture(64, 48)
    assert encode_jpeg(rgb[:40, :50], 90) == encode_jpeg(rgb[:40, :50].copy(), 90)


@pytest.mark.parametrize("scale", SCALES)
def test_the_quick_decoding_is_close(scale):
    content = by_pillow(picture(203, 101))
    exact, quick = (decode_jpeg(content, (203, 101), scale, quickly).astype(int) for quickly in (False, True))
    assert np.abs(quick - exact).mean() < 4
    assert np.abs((quick - exact) @ (0.299, 0.587, 0.114)).mean() < 1  # only colours are coarser
    assert scale > 1 or (quick != exact).any()


def test_the_header_tells_the_size():
    content = by_pillow(picture(203, 101))
    assert jpeg_size(content) == (203, 101)
    assert jpeg_size(b"") is None and jpeg_size(b"no picture") is None
    assert decode_jpeg(content[:300], (203, 101), 1, quickly=True) is None
