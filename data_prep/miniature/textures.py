"""Flat surfaces: patterns, printed words, glyphs. Each returns or draws on a canvas of uint8 [H, W, 3]."""

import numpy as np

from data_prep.miniature import drawing
from data_prep.miniature.drawing import Colour

SYLLABLES = (
    "ba",
    "ko",
    "ri",
    "mu",
    "ten",
    "sol",
    "vi",
    "da",
    "lo",
    "pra",
    "zu",
    "ne",
    "fi",
    "gar",
    "hel",
    "om",
    "ys",
    "tra",
)
PATTERNS = (
    "plain",
    "stripes",
    "bands",
    "checks",
    "dots",
    "flowers",
    "zigzag",
    "marble",
    "patches",
    "diamonds",
)


def any_of(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    """One of the names."""
    return choices[int(rng.integers(len(choices)))]


def word(rng: np.random.Generator, n_syllables: int) -> str:
    """A made-up word, such as a brand could have."""
    return "".join(any_of(rng, SYLLABLES) for _ in range(n_syllables))


def glyph_outline(rng: np.random.Generator) -> np.ndarray:
    """[N, 2] a closed outline within radius 1: a star, a flower or a blob, in its own proportions."""
    angles = np.linspace(0, 2 * np.pi, 49)[:-1]
    n_tips, depth, phase = int(rng.integers(3, 9)), rng.uniform(0.15, 0.6), rng.uniform(0, 2 * np.pi)
    kind = rng.integers(3)
    if kind == 0:
        wave = np.abs((angles * n_tips / np.pi + phase) % 2 - 1)
    elif kind == 1:
        wave = np.sin(n_tips * angles + phase) * 0.5 + 0.5
    else:
        wave = (np.sin(2 * angles + phase) + np.sin(3 * angles + 2 * phase)) * 0.25 + 0.5
    radii = 1 - depth * wave
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles) * rng.uniform(0.6, 1.0)])


def stamp(
    canvas: np.ndarray, outline: np.ndarray, centre: tuple[float, float], radius_px: float, colour: Colour
) -> None:
    """Fill an outline [N, 2] of radius 1 at a place and size."""
    drawing.fill(canvas, outline * radius_px + centre, colour)


def pattern(kind: str, shape: tuple[int, int], colours: list[Colour], rng: np.random.Generator) -> np.ndarray:
    """A canvas of `shape` (rows, columns) covered with one of PATTERNS, in at least two colours."""
    height, width = shape
    canvas = drawing.blank(height, width, colours[0])
    step = int(rng.integers(max(4, height // 16), max(6, height // 5)))
    duty = rng.uniform(0.25, 0.65)
    if kind in ("stripes", "checks"):
        for k, x in enumerate(range(0, width, step)):
            canvas[:, x : x + max(1, int(duty * step))] = colours[1 + k % (len(colours) - 1)]
    if kind in ("bands", "checks"):
        for k, y in enumerate(range(0, height, step)):
            band = canvas[y : y + max(1, int(duty * step))]
            band[:] = (
                (0.5 * band + 0.5 * np.array(colours[1 + k % (len(colours) - 1)]))
                if kind == "checks"
                else colours[1 + k % (len(colours) - 1)]
            )
    if kind in ("dots", "flowers", "diamonds"):
        _scatter(canvas, kind, step, colours, rng)
    if kind == "zigzag":
        for k, y in enumerate(range(-step, height + step, step)):
            xs = np.arange(0, width + step, max(2, step // 2 + 1))
            line = np.column_stack([xs, y + duty * step * (np.arange(len(xs)) % 2)])
            drawing.stroke(canvas, line, colours[1 + k % (len(colours) - 1)], max(1, step // 4))
    if kind in ("marble", "patches"):
        field = drawing.smooth_noise(rng, shape, (int(rng.integers(3, 9)), int(rng.integers(3, 9))))
        levels = np.clip((field * len(colours)).astype(int), 0, len(colours) - 1)
        canvas = np.array(colours)[levels].astype(np.uint8)
        if kind == "marble":
            canvas = drawing.blur(canvas, max(1.0, step / 4))
    return canvas


def _scatter(
    canvas: np.ndarray, kind: str, step: int, colours: list[Colour], rng: np.random.Generator
) -> None:
    outline = glyph_outline(rng) if kind == "flowers" else None
    radius = step * rng.uniform(0.22, 0.42)
    for row, y in enumerate(range(0, canvas.shape[0] + step, step)):
        for column, x in enumerate(range((row % 2) * step // 2, canvas.shape[1] + step, step)):
            colour = colours[1 + (row + column) % (len(colours) - 1)]
            if outline is not None:
                stamp(canvas, outline, (x, y), radius * 1.2, colour)
            elif kind == "dots":
                drawing.ellipse(canvas, (x, y), (radius, radius), colour)
            else:
                drawing.fill(
                    canvas,
                    np.array([[x, y - radius], [x + radius, y], [x, y + radius], [x - radius, y]]),
                    colour,
                )


def grain(canvas: np.ndarray, rng: np.random.Generator, depth: float, cells: tuple[int, int]) -> np.ndarray:
    """Uneven brightness of +- depth, such as wood (few rows, many columns) or plaster has."""
    field = 1 + depth * (2 * drawing.smooth_noise(rng, canvas.shape[:2], cells) - 1)
    return drawing.shade(canvas, field)


def small_print(
    canvas: np.ndarray, box: tuple[int, int, int, int], n_lines: int, colour: Colour, rng: np.random.Generator
) -> None:
    """Lines of type too small to read, in a box (left, top, width, height)."""
    left, top, width, height = box
    for row in range(n_lines):
        y, x = top + row * height // n_lines, left
        while x < left + width - 4:
            length = int(rng.integers(2, 9))
            canvas[y : y + max(1, height // n_lines // 2), x : min(x + length, left + width)] = colour
            x += length + 2


def palette(rng: np.random.Generator, n_colours: int) -> list[Colour]:
    """Colours that go together: one hue, its neighbours and a contrast, in differing brightness."""
    hue, spread = rng.random(), rng.choice([0.08, 0.33, 0.5])
    return [
        drawing.hsv(hue + spread * k + rng.normal(0, 0.03), rng.uniform(0.25, 0.9), rng.uniform(0.25, 0.95))
        for k in range(n_colours)
    ]
