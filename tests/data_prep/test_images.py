import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from data_prep.images import TURNS, ImageFacts, Prepared, Rejected, check_image, prepare_image
from data_prep.perceptual_hash import perceptual_hash


def gradient(width, height):
    """A smooth coloured picture: resizing and JPEG change it little."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 128 + 0 * x], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(image, format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def to_jpeg(content, image_px, jpeg_quality, apply_exif_orientation=False):
    """The bytes alone, or the reject."""
    prepared = prepare_image(content, image_px, jpeg_quality, apply_exif_orientation)
    return prepared.jpeg if isinstance(prepared, Prepared) else prepared


def decoded(content):
    assert isinstance(content, bytes), content
    image = Image.open(io.BytesIO(content))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def pixel(content, x=0, y=0):
    return decoded(content).getpixel((x, y))


def png_claiming(width, height):
    """A PNG header that promises a picture, with next to no data behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("size", "expected"), [((640, 480), (133, 100)), ((300, 900), (100, 300)), ((60, 40), (60, 40))]
)
def test_the_shorter_side_is_image_px_and_nothing_is_enlarged(size, expected):
    for format in ("JPEG", "PNG", "WEBP", "BMP"):
        assert decoded(to_jpeg(encoded(gradient(*size), format), 100, 90)).size == expected


def test_a_small_baseline_rgb_jpeg_keeps_its_bytes():
    content = encoded(gradient(100, 180), quality=71)
    assert to_jpeg(content, 100, 90) == content


@pytest.mark.parametrize(
    "content",
    [
        encoded(gradient(101, 180)),  # one pixel too large
        encoded(gradient(100, 180), progressive=True),
        encoded(gradient(100, 180).convert("L")),
        encoded(gradient(100, 180).convert("CMYK")),
        encoded(gradient(100, 180), "PNG"),
        encoded(
            gradient(100, 180), exif=b"Exif\0\0" + Image.Exif().tobytes()[6:], quality=90, progressive=True
        ),
    ],
)
def test_everything_else_becomes_a_baseline_rgb_jpeg(content):
    result = to_jpeg(content, 100, 90)
    assert result != content
    assert min(decoded(result).size) == 100
    assert "progressive" not in decoded(result).info


def test_scaled_decoding_is_close_to_a_full_decode():
    rng = np.random.default_rng(0)
    noisy = np.asarray(gradient(1600, 1200), dtype=float) + rng.normal(0, 20, (1200, 1600, 3))
    content = encoded(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), quality=95)
    scaled = np.asarray(decoded(to_jpeg(content, 150, 95)), dtype=float)
    whole = np.asarray(
        Image.open(io.BytesIO(content)).resize((200, 150), Image.Resampling.BICUBIC), dtype=float
    )
    assert scaled.shape == whole.shape
    assert np.abs(scaled - whole).mean() < 2


def with_orientation(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, exif=exif, quality=95)


def test_exif_orientation_is_ignored_unless_asked_for():
    content = with_orientation(gradient(60, 40), 6)  # 6: turn by 90 degrees to see it upright
    assert decoded(to_jpeg(content, 100, 95)).size == (60, 40)
    upright = to_jpeg(content, 100, 95, apply_exif_orientation=True)
    assert decoded(upright).size == (40, 60)
    # turned clockwise, the raw picture's bottom left (green) is the top left
    assert pixel(upright, 0, 0) == pytest.approx((0, 255, 128), abs=8)


def test_no_orientation_tag_is_left_for_a_reader_to_apply():
    content = with_orientation(gradient(60, 40), 6)
    for apply in (False, True):
        result = decoded(to_jpeg(content, 100, 95, apply_exif_orientation=apply))
        assert 0x0112 not in result.getexif()


def test_upright_pictures_keep_their_bytes_with_their_exif():
    content = with_orientation(gradient(60, 40), 1)
    assert to_jpeg(content, 100, 95, apply_exif_orientation=True) == content


def test_sixteen_bit_grey_keeps_its_high_byte():
    levels = np.array([[0, 0x4000, 0x8000, 0xFFFF]], dtype=np.uint16).repeat(32, axis=0).repeat(32, axis=1)
    result = to_jpeg(encoded(Image.fromarray(levels), "PNG"), 200, 95)
    assert [pixel(result, x, 10)[0] for x in (10, 42, 74, 116)] == pytest.approx([0, 64, 128, 255], abs=3)


def test_transparency_is_laid_over_white():
    clear_red = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    half_black = Image.new("LA", (40, 40), (0, 128))
    palette = Image.new("P", (40, 40), 3)
    palette.putpalette([0, 0, 255] * 256)
    assert pixel(to_jpeg(encoded(clear_red, "PNG"), 50, 95)) == (255, 255, 255)
    assert pixel(to_jpeg(encoded(half_black, "PNG"), 50, 95)) == pytest.approx((127, 127, 127), abs=2)
    assert pixel(to_jpeg(encoded(palette, "PNG"), 50, 95)) == pytest.approx((0, 0, 255), abs=3)
    assert pixel(to_jpeg(encoded(palette, "PNG", transparency=3), 50, 95)) == (255, 255, 255)


def test_cmyk_and_one_bit_pictures_become_rgb():
    cyan = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    assert pixel(to_jpeg(encoded(cyan), 50, 95)) == pytest.approx((0, 255, 255), abs=6)
    white = Image.new("1", (40, 40), 1)
    assert pixel(to_jpeg(encoded(white, "PNG"), 50, 95)) == (255, 255, 255)


JPEG = encoded(gradient(200, 150), quality=90)
UPRIGHT = with_orientation(gradient(60, 40), 1)
PNG = encoded(gradient(90, 90), "PNG")
GIF = encoded(gradient(20, 20), "GIF", save_all=True, append_images=[gradient(20, 21).resize((20, 20))])
REJECTS = {
    "empty": (b"", "empty file"),
    "html": (b"\n<!DOCTYPE html><html><body>404</body></html>", "html page"),
    "html with a mark": (b"\xef\xbb\xbf<HTML>", "html page"),
    "text": (b"no image at all", "not an image"),
    "cut jpeg": (JPEG[: len(JPEG) // 2], "truncated"),
    "cut jpeg header": (JPEG[:20], "damaged"),
    "cut png": (PNG[: len(PNG) // 2], "truncated"),
    "animated gif": (GIF, "animated"),
    "animated png": (
        encoded(gradient(20, 20), "PNG", save_all=True, append_images=[Image.new("RGB", (20, 20))]),
        "animated",
    ),
    "bomb": (png_claiming(20_000, 20_000), "decompression bomb"),
    "strip": (encoded(Image.new("1", (65_501, 1)), "PNG"), "too long"),
    "float tiff": (encoded(Image.new("F", (9, 9)), "TIFF"), "unsupported pixels"),
    "deep tiff": (encoded(Image.new("I", (9, 9), 70_000), "TIFF"), "unsupported pixels"),
    "postscript": (encoded(gradient(20, 20), "EPS"), "not an image"),
}


@pytest.mark.parametrize("name", REJECTS)
def test_bad_files_have_their_own_reason_in_both_passes(name):
    content, reason = REJECTS[name]
    checked, converted = check_image(content, 100), to_jpeg(content, 100, 90)
    assert isinstance(checked, Rejected) and isinstance(converted, Rejected)
    assert checked.reason == converted.reason == reason
    assert checked.detail


def test_a_camera_file_with_a_second_picture_is_not_animated():
    content = encoded(gradient(80, 60), "MPO", save_all=True, append_images=[gradient(80, 60)])
    assert decoded(to_jpeg(content, 100, 90)).size == (80, 60)


def test_facts_are_the_stored_size_and_the_hash_of_the_stored_pixels():
    content = with_orientation(gradient(60, 40), 6)
    phash = perceptual_hash(np.asarray(Image.open(io.BytesIO(content))))
    facts = ImageFacts(width_px=60, height_px=40, phash=phash)
    assert check_image(content, 100) == facts
    assert prepare_image(content, 100, 90, True).facts == facts


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(640, 480), (1801, 1203), (90, 70)])
def test_both_passes_find_the_same_facts(size, format):
    content = encoded(gradient(*size), format)
    checked = check_image(content, 96)
    assert checked == prepare_image(content, 96, 90).facts
    assert (checked.width_px, checked.height_px) == size and checked.phash is not None


def test_the_hash_is_that_of_the_whole_picture_but_for_a_few_bits():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    picture = coarse.resize((1000, 750), Image.Resampling.BICUBIC)
    expected = perceptual_hash(np.asarray(picture))
    for format in ("JPEG", "PNG"):
        assert (check_image(encoded(picture, format), 128).phash ^ expected).bit_count() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_applied_as_pillow_applies_them(orientation):
    content = with_orientation(gradient(300, 200), orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    upright.thumbnail((150, 150))
    result = decoded(to_jpeg(content, 100, 95, apply_exif_orientation=True))
    assert result.size == upright.size
    assert np.abs(np.asarray(result, dtype=int) - np.asarray(upright)).mean() < 3


def pillow_accepts(content):
    try:
        Image.open(io.BytesIO(content)).load()
    except Exception:
        return False
    return True


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_jpegs_are_accepted_and_rejected_as_pillow_does(options):
    """libjpeg-turbo only warns of much damage; its verdict alone would not be Pillow's."""
    rng = np.random.default_rng(1)
    good = encoded(Image.fromarray(rng.integers(0, 255, (64, 80, 3), dtype=np.uint8)), quality=60, **options)
    bad = [good[:end] for end in (*range(len(good) - 12, len(good)), *range(2, len(good), 97))]
    for _ in range(60):
        changed = bytearray(good)
        for position in rng.integers(2, len(good), size=3):
            changed[position] = rng.integers(256)
        bad.append(bytes(changed))
    bad += [good[:start] + good[start + 50 :] for start in range(300, len(good) - 100, 211)]
    verdicts = [(not isinstance(check_image(content, 25), Rejected), pillow_accepts(content)) for content in bad]
    assert all(ours == theirs for ours, theirs in verdicts)
    assert {ours for ours, _ in verdicts} == {True, False}


def test_a_flat_picture_has_no_hash():
    assert check_image(encoded(Image.new("RGB", (300, 200), "red")), 100).phash is None


def test_the_same_picture_gives_the_same_bytes():
    assert to_jpeg(JPEG, 64, 90) == to_jpeg(JPEG, 64, 90)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_no_damage_raises_and_both_passes_agree(format):
    """What the decode check lets through must not be turned away when the shard is written."""
    rng = np.random.default_rng(0)
    options = {} if format in ("GIF", "BMP") else {"exif": Image.open(io.BytesIO(UPRIGHT)).getexif()}
    good = encoded(gradient(40, 30), format, **options)
    outcomes = set()
    for trial in range(60):
        bad = bytearray(good)
        for position in rng.integers(0, len(good) if trial % 2 else min(len(good), 100), size=4):
            bad[position] = rng.integers(256)
        checked = check_image(bytes(bad), 20)
        converted = to_jpeg(bytes(bad), 20, 90, apply_exif_orientation=True)
        assert getattr(checked, "reason", None) == getattr(converted, "reason", None)
        outcomes.add(type(checked))
    assert Rejected in outcomes  # the damage was felt


def quarters(width, height):
    """Four plain fields: red and green above, blue and white below; the corner lies at 2/5 of each side."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste((255, 0, 0), (0, 0, width * 2 // 5, height * 2 // 5))
    picture.paste((0, 255, 0), (width * 2 // 5, 0, width, height * 2 // 5))
    picture.paste((0, 0, 255), (0, height * 2 // 5, width * 2 // 5, height))
    return picture


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize(("image_px", "expected"), [(20, (30, 20)), (200, (120, 80)), (80, (120, 80))])
def test_a_box_is_cut_out_before_the_resize(format, image_px, expected):
    content = encoded(quarters(500, 400), format, **({"quality": 95, "subsampling": 0} if format == "JPEG" else {}))
    prepared = prepare_image(content, image_px, 95, box=(140, 120, 260, 200))
    assert (prepared.facts.width_px, prepared.facts.height_px) == (120, 80)
    assert check_image(content, image_px, (140, 120, 260, 200)) == prepared.facts
    cut = np.asarray(decoded(prepared.jpeg), dtype=int)
    assert cut.shape[1::-1] == expected
    reference = quarters(500, 400).crop((140, 120, 260, 200)).resize(expected, Image.Resampling.BOX)
    assert np.abs(cut - np.asarray(reference)).mean() < 12  # hard edges in 4:2:0
    others = [(140, 120, 400, 320), (139 - 60, 120, 260 - 60, 200)]  # width and height for a corner; a shift
    for other in others:
        wrong = quarters(500, 400).crop(other).resize(expected, Image.Resampling.BOX)
        assert np.abs(cut - np.asarray(wrong)).mean() > 20


def test_a_box_of_a_large_picture_is_decoded_at_a_scale():
    picture = gradient(1600, 1200)
    content = encoded(picture, quality=95)
    cut = decoded(to_jpeg_of_box(content, 64, (203, 101, 1403, 901)))
    reference = picture.crop((203, 101, 1403, 901)).resize((96, 64), Image.Resampling.BICUBIC)
    assert cut.size == (96, 64)
    assert np.abs(np.asarray(cut, dtype=int) - np.asarray(reference)).mean() < 2


def to_jpeg_of_box(content, image_px, box, **options):
    return prepare_image(content, image_px, 95, box=box, **options).jpeg


def test_a_box_of_the_whole_picture_is_the_picture():
    content = encoded(gradient(60, 40))
    assert to_jpeg_of_box(content, 100, (0, 0, 60, 40)) == content == to_jpeg_of_box(content, 100, (-5, -5, 99, 99))
    assert to_jpeg_of_box(content, 100, (0, 0, 60, 39)) != content


def test_a_box_outside_is_a_reject_and_one_over_the_edge_is_clipped():
    content = encoded(gradient(60, 40))
    expected = Rejected("box outside the picture", "60 x 40 pixels")
    assert prepare_image(content, 20, 90, box=(60, 0, 90, 40)) == check_image(content, 20, (0, 40, 60, 50)) == expected
    assert check_image(content, 20, (50, 30, 90, 90)) == check_image(content, 20, (50, 30, 60, 40))
    assert check_image(content, 20, (50, 30, 90, 90)).width_px == 10


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("is_applied", [False, True])
def test_boxes_are_those_of_the_upright_picture_whatever_is_stored(orientation, is_applied):
    content = with_orientation(quarters(300, 200), orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    box = (20, 30, 160, 130)
    cut = decoded(to_jpeg_of_box(content, 200, box, apply_exif_orientation=is_applied))
    if orientation > 1 and not is_applied:
        cut = cut.transpose(TURNS[orientation])
    assert cut.size == (140, 100)
    assert np.abs(np.asarray(cut, dtype=int) - np.asarray(upright.crop(box))).mean() < 5
