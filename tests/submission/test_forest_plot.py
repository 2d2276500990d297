"""The picture of a comparison."""

import io

import numpy as np
from PIL import Image

from submission.forest_plot import draw_forest

GREEN, RED = (0x1A, 0x7F, 0x5A), (0xC2, 0x45, 0x2D)


def row(difference, verdict):
    one = {"difference": difference, "low": difference - 0.01, "high": difference + 0.01, "verdict": verdict}
    return {"mMP@5": one, "R@1": one, "mAP@100": one}


def pixels_of(found, colour):
    picture = np.asarray(Image.open(io.BytesIO(draw_forest(found))).convert("RGB")).astype(int)
    return np.argwhere((abs(picture - colour) < 6).all(axis=2)), picture.shape


def test_gains_lie_right_of_losses_in_their_colours():
    found = {"a": {"name": "one"}, "b": {"name": "two"}, "mean": row(0.0, "not told apart"),
             "per_domain": {"cars": row(0.05, "better"), "toys": row(-0.05, "worse")}}
    gains, (height, width, _) = pixels_of(found, GREEN)
    losses, _ = pixels_of(found, RED)
    first_panel = width * 0.36
    gain_xs, loss_xs = gains[gains[:, 1] < first_panel, 1], losses[losses[:, 1] < first_panel, 1]
    assert len(gain_xs) > 20 and len(loss_xs) > 20 and gain_xs.min() > loss_xs.max()
    assert gains[:, 0].max() < losses[:, 0].min()  # cars above toys
    found["per_domain"] |= {f"domain {n}": row(0.01, "better") for n in range(20)}
    assert pixels_of(found, GREEN)[1][0] > height


def test_a_comparison_without_any_difference_can_be_drawn():
    one = {"difference": 0.0, "low": 0.0, "high": 0.0, "verdict": "the same"}
    rows = {"mMP@5": one, "R@1": one, "mAP@100": one}
    found = {"a": {"name": "one"}, "b": {"name": "two"}, "mean": rows, "per_domain": {"toys": rows}}
    assert Image.open(io.BytesIO(draw_forest(found))).width > 800
