import io

import numpy as np
import pytest
from PIL import Image

from data_prep.miniature import drawing

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters():
    """Red, green above; blue, white below."""
    texture = drawing.blank(40, 40, RED)
    texture[:20, 20:], texture[20:, :20], texture[20:, 20:] = GREEN, BLUE, WHITE
    return texture


def at(canvas, x, y):
    return tuple(int(value) for value in canvas[y, x])


def test_place_keeps_the_order_of_corners():
    canvas = drawing.blank(100, 100, (9, 9, 9))
    drawing.place(canvas, quarters(), drawing.rectangle(20, 30, 80, 90))
    assert [at(canvas, x, y) for x, y in ((30, 40), (70, 40), (30, 80), (70, 80))] == [
        RED,
        GREEN,
        BLUE,
        WHITE,
    ]
    assert at(canvas, 10, 10) == at(canvas, 95, 50) == (9, 9, 9)


def test_place_cuts_off_what_is_outside():
    canvas = drawing.blank(50, 50, (9, 9, 9))
    drawing.place(canvas, quarters(), drawing.rectangle(-30, -30, 30, 30))
    assert at(canvas, 10, 10) == WHITE  # the last quarter is all that is left
    drawing.place(canvas, quarters(), drawing.rectangle(200, 200, 260, 260))
    assert at(canvas, 49, 49) == (9, 9, 9)


def test_place_darkens_by_shade_and_lets_clear_pixels_through():
    canvas = drawing.blank(60, 60, BLUE)
    drawing.place(canvas, quarters(), drawing.rectangle(0, 0, 60, 60), shade=0.5)
    assert at(canvas, 10, 10) == (128, 0, 0)
    cutout = np.dstack([quarters(), np.full((40, 40), 255, np.uint8)])
    cutout[:, :20, 3] = 0
    canvas = drawing.blank(60, 60, BLUE)
    drawing.place(canvas, cutout, drawing.rectangle(0, 0, 60, 60))
    assert at(canvas, 10, 10) == BLUE and at(canvas, 50, 10) == GREEN


def test_fill_takes_concave_outlines():
    canvas = drawing.blank(40, 40, WHITE)
    drawing.fill(canvas, np.array([[0, 0], [39, 0], [39, 39], [20, 5], [0, 39]]), RED)
    assert at(canvas, 20, 2) == RED and at(canvas, 20, 30) == WHITE


def test_ellipse_stroke_and_write_leave_marks_where_they_should():
    canvas = drawing.blank(60, 60, WHITE)
    drawing.ellipse(canvas, (30, 30), (10, 5), RED)
    assert at(canvas, 38, 30) == RED and at(canvas, 30, 38) == WHITE
    drawing.stroke(canvas, np.array([[0, 50], [59, 50]]), BLUE, 3)
    assert at(canvas, 30, 50) == BLUE and at(canvas, 30, 45) == WHITE
    page = drawing.blank(60, 60, WHITE)
    drawing.write(page, "kola", (10, 20, 40, 20), (0, 0, 0))
    rows, columns = np.nonzero(page.min(axis=2) < 128)
    assert rows.min() >= 18 and rows.max() <= 42 and columns.min() >= 8 and columns.max() <= 52
    assert columns.max() - columns.min() > 25


def test_darken_is_soft_at_the_edge_and_full_inside():
    canvas = drawing.blank(80, 80, (200, 200, 200))
    drawing.darken(canvas, drawing.rectangle(20, 20, 60, 60), 0.5, softness_px=3)
    assert at(canvas, 40, 40) == (100, 100, 100) and at(canvas, 5, 5) == (200, 200, 200)
    assert 100 < at(canvas, 20, 40)[0] < 200


def test_shade_noise_and_tint_act_on_each_pixel_and_stay_in_range():
    canvas = drawing.blank(4, 4, (100, 200, 250))
    assert at(drawing.shade(canvas, np.full((4, 4), 1.5, np.float32)), 0, 0) == (150, 255, 255)
    noise = np.zeros((4, 4), np.int16)
    noise[0, 0], noise[1, 1] = -120, 30
    noisy = drawing.add_noise(canvas, noise)
    assert (
        at(noisy, 0, 0) == (0, 80, 130)
        and at(noisy, 1, 1) == (130, 230, 255)
        and at(noisy, 2, 2) == (100, 200, 250)
    )
    tinted = drawing.tint(canvas, np.ones((2, 2, 3)) * (0.5, 1.0, 0.1))
    assert at(tinted, 1, 1) == (50, 200, 25)


def test_smooth_noise_is_smooth_and_within_its_range():
    field = drawing.smooth_noise(np.random.default_rng(0), (64, 96), (4, 6))
    assert field.shape == (64, 96) and field.min() >= 0 and field.max() <= 1 and field.std() > 0.1
    assert np.abs(np.diff(field, axis=1)).max() < 0.2


def test_blur_and_smear_keep_the_mean_and_smear_has_a_direction():
    canvas = drawing.blank(41, 41, (0, 0, 0))
    canvas[20, 20] = 255
    spread = drawing.smear(canvas, 9, 0.0)
    assert at(spread, 23, 20)[0] > 0 and at(spread, 20, 23) == (0, 0, 0)
    assert drawing.blur(canvas, 2.0)[18:23, 18:23].min() > 0


def test_distort_samples_where_it_is_told():
    y, x = np.mgrid[0:40, 0:40]
    assert at(drawing.distort(quarters(), np.clip(x + 20, 0, 39), y), 5, 5) == GREEN


def test_colours():
    assert drawing.hsv(1 / 3, 1, 1) == pytest.approx(GREEN)
    assert drawing.hsv(0.9, -1, 2) == pytest.approx(WHITE)  # clipped
    assert drawing.mix(RED, BLUE, 0.25) == (191.25, 0, 63.75)


def test_jpeg_bytes_are_rgb_and_grey_stays_grey():
    image = Image.open(io.BytesIO(drawing.encode_jpeg(drawing.blank(32, 48, RED), 95)))
    assert image.size == (48, 32) and image.mode == "RGB"
    assert np.asarray(image)[5, 5] == pytest.approx((254, 0, 0), abs=3)
    assert Image.open(io.BytesIO(drawing.encode_jpeg(np.zeros((8, 8), np.uint8), 90))).mode == "L"


def test_shrink_averages():
    canvas = drawing.blank(4, 4, (0, 0, 0))
    canvas[:, ::2] = 200
    assert at(drawing.shrink(canvas, 2, 2), 0, 0) == (100, 100, 100)
    assert drawing.stretch(canvas, 9, 7).shape == (9, 7, 3)
