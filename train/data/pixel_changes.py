"""Colours, softness, JPEG artefacts and holes: the changes to an image that keep its shape."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.jpeg_codec import decode_jpeg_quickly, encode_jpeg

_GREY = 127  # near zero after normalisation
# RGB -> brightness and two colour axes (NTSC's YIQ), in which hue is an angle and saturation a length.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
# What of an RGB colour is brightness, what is colour, and the colour a quarter turn of the hue further: [3, 3] each.
_BRIGHTNESS = _FROM_YIQ @ np.diag([1.0, 0.0, 0.0]) @ _TO_YIQ
_COLOUR = _FROM_YIQ @ np.diag([0.0, 1.0, 1.0]) @ _TO_YIQ
_QUARTER_TURN = _FROM_YIQ @ np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ _TO_YIQ

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Changes:
    """How far and how often a preset changes an image after the crop; each chance is drawn by itself.

    Attributes:
        warp: (chance, largest shift as a share of the side, largest change of size, largest turn in degrees).
        light: (chance, largest change of brightness as a share of white and of contrast).
        colour: (chance, largest turn of the hue in degrees, largest change of the saturation).
        grey: chance.
        blur: (chance, smallest and largest standard deviation in pixels).
        motion: share of the blurs that are along a line, of 3 to 7 pixels.
        jpeg: (chance, lowest and highest quality) of being encoded and decoded once more.
        holes: (chance, most holes); a hole's sides are 0.1 to 0.4 of the image's.
    """

    warp: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    light: tuple[float, float] = (0.0, 0.0)
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grey: float = 0.0
    blur: tuple[float, float, float] = (0.0, 0.0, 0.0)
    motion: float = 0.0
    jpeg: tuple[float, int, int] = (0.0, 95, 95)
    holes: tuple[float, int] = (0.0, 1)


def change_pixels(rgb: Pixels, changes: Changes, draws: Iterator[float]) -> Pixels:
    """uint8 [H, W, 3] -> the same with colours, blur, JPEG artefacts and holes, in this order; may change `rgb`.

    `draws`: numbers in 0..1, at most 27 of them.
    """
    matrix = colour_matrix(changes, draws)
    if matrix is not None:
        rgb = cv2.transform(rgb, matrix)
    if next(draws) < changes.blur[0]:
        rgb = _blurred(rgb, changes, draws)
    if next(draws) < changes.jpeg[0]:
        jpeg = encode_jpeg(rgb, round(between(*changes.jpeg[1:], next(draws))))
        rgb = cv2.cvtColor(decode_jpeg_quickly(jpeg, rgb.shape[1::-1], 1), cv2.COLOR_RGBA2RGB)
    if next(draws) < changes.holes[0]:
        for _ in range(1 + int(next(draws) * changes.holes[1])):
            _punch_hole(rgb, draws)
    return rgb


def colour_matrix(changes: Changes, draws: Iterator[float]) -> NDArray[np.float32] | None:
    """[3, 4] for RGB and 1 -> RGB: contrast and brightness, hue and saturation; None where nothing changes."""
    is_lit, brightness, contrast = next(draws), next(draws), next(draws)
    is_coloured, turn, saturation, is_grey = (next(draws) for _ in range(4))
    if is_lit >= changes.light[0] and is_coloured >= changes.colour[0] and is_grey >= changes.grey:
        return None
    gain, offset = 1.0, 0.0
    if is_lit < changes.light[0]:
        gain = 1.0 + between(-1.0, 1.0, contrast) * changes.light[1]
        offset = 255.0 * between(-1.0, 1.0, brightness) * changes.light[1]
    cosine, sine = 1.0, 0.0
    if is_grey < changes.grey:
        cosine = 0.0
    elif is_coloured < changes.colour[0]:
        angle = math.radians(between(-1.0, 1.0, turn) * changes.colour[1])
        length = 1.0 + between(-1.0, 1.0, saturation) * changes.colour[2]
        cosine, sine = length * math.cos(angle), length * math.sin(angle)
    matrix = np.empty((3, 4), np.float32)
    matrix[:, :3] = gain * (_BRIGHTNESS + cosine * _COLOUR + sine * _QUARTER_TURN)
    matrix[:, 3] = offset
    return matrix


def _blurred(rgb: Pixels, changes: Changes, draws: Iterator[float]) -> Pixels:
    """Gaussian, or the mean along a line through the pixel."""
    if next(draws) < changes.motion:
        side_px = 3 + 2 * int(3 * next(draws))
        angle, middle = math.pi * next(draws), side_px // 2
        ends = [(round(middle + sign * middle * math.cos(angle)), round(middle + sign * middle * math.sin(angle)))
                for sign in (-1, 1)]
        line = cv2.line(np.zeros((side_px, side_px), np.uint8), *ends, 1).astype(np.float32)
        return cv2.filter2D(rgb, -1, line / line.sum())
    sigma_px = between(*changes.blur[1:], next(draws))
    side_px = 2 * math.ceil(2.0 * sigma_px) + 1
    return cv2.GaussianBlur(rgb, (side_px, side_px), sigma_px)


def _punch_hole(rgb: Pixels, draws: Iterator[float]) -> None:
    """One rectangle of mid-grey inside the image, in place."""
    side_px = len(rgb)
    height_px, width_px = (round(between(0.1, 0.4, next(draws)) * side_px) for _ in range(2))
    top, left = int(next(draws) * (side_px - height_px + 1)), int(next(draws) * (side_px - width_px + 1))
    rgb[top : top + height_px, left : left + width_px] = _GREY


def between(low: float, high: float, share: float) -> float:
    """`share` of the way from `low` to `high`."""
    return low + share * (high - low)
