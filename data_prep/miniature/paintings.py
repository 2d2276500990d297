"""Pictures in the picture: landscapes, portraits and geometric compositions, framed."""

import numpy as np

from data_prep.miniature import drawing, textures
from data_prep.miniature.drawing import Colour, hsv, mix

SIDE_PX = 144
Rng = np.random.Generator


def paint(manner: int, colours: list[Colour], own: Rng) -> np.ndarray:
    """A painted canvas, uint8 [144, 144, 3]. manner: 0 landscape, 1 portrait, 2 geometric."""
    ground = textures.grain(drawing.blank(SIDE_PX, SIDE_PX, colours[0]), own, 0.25, (5, 7))
    (_landscape, _portrait, _geometric)[manner](ground, colours, own)
    return textures.grain(ground, own, 0.18, (40, 30))


def _landscape(ground: np.ndarray, colours: list[Colour], own: Rng) -> None:
    """Four ridges, a sun, trees."""
    for depth in range(4):
        wave = drawing.smooth_noise(own, (1, 13), (1, int(own.integers(3, 9))))[0] - 0.5
        ridge = 30 + 28 * depth + own.normal(0, 7) + (48 - 6.4 * depth) * wave
        outline = np.vstack([np.column_stack([np.linspace(0, 144, 13), ridge]), [[144, 144], [0, 144]]])
        drawing.fill(ground, outline, mix(colours[depth % 4], (60, 60, 50), own.uniform(0, 0.4)))
    drawing.ellipse(ground, own.uniform((15, 12), (129, 45)), (own.uniform(5, 13),) * 2, (250, 235, 190))
    for _ in range(int(own.integers(1, 6))):
        x, y, half = own.uniform(10, 134), own.uniform(75, 135), own.uniform(6, 20)
        tree = np.array([[x - half, y], [x, y - 2 * half], [x + half, y]])
        drawing.fill(ground, tree, mix(colours[1], (20, 40, 20), 0.5))


def _portrait(ground: np.ndarray, colours: list[Colour], own: Rng) -> None:
    """Shoulders, hair, a face, something held."""
    x, y, turn = 72 + own.normal(0, 8), 58 + own.normal(0, 6), own.normal(0, 10)
    wear = mix(colours[1], hsv(own.random(), 0.6, 0.6), 0.5)
    skin, hair = hsv(0.07, own.uniform(0.2, 0.5), own.uniform(0.6, 0.95)), mix(colours[2], (30, 20, 10), 0.5)
    drawing.ellipse(ground, (x, 150), (own.uniform(38, 62), own.uniform(48, 66)), wear)
    drawing.ellipse(ground, (x, y - 6), (own.uniform(22, 34), own.uniform(28, 40)), hair, turn)
    drawing.ellipse(ground, (x, y), (own.uniform(16, 21), own.uniform(21, 28)), skin, turn)
    for side in (-1, 1):
        drawing.ellipse(ground, (x + side * own.uniform(6, 9), y - 3), (2.5, 1.5), (30, 25, 25))
    mouth = np.array([[x - 5, y + own.uniform(8, 13)], [x + 5, y + own.uniform(8, 13)]])
    drawing.stroke(ground, mouth, (140, 60, 55), 2)
    held, at = textures.glyph_outline(own), (x + own.normal(0, 20), 122 + own.normal(0, 6))
    textures.stamp(ground, held, at, own.uniform(6, 15), colours[3])


def _geometric(ground: np.ndarray, colours: list[Colour], own: Rng) -> None:
    """Shapes over shapes."""
    for k in range(int(own.integers(6, 13))):
        centre, size = own.uniform(10, 134, 2), own.uniform(10, 48)
        outline = textures.glyph_outline(own) * size + centre
        drawing.fill(ground, outline, mix(colours[k % 4], hsv(own.random(), 0.7, 0.8), 0.3))


def framed(picture: np.ndarray, frame: Colour, own: Rng) -> np.ndarray:
    """The picture [144, 144, 3] with a frame of random width over its border."""
    border = int(own.integers(6, 18))
    framed = drawing.blank(144, 144, frame)
    rim = np.array(
        [[border, border], [143 - border, border], [143 - border, 143 - border], [border, 143 - border]]
    )
    framed[border:-border, border:-border] = picture[border:-border, border:-border]
    drawing.stroke(framed, rim, mix(frame, (20, 15, 5), 0.6), 3, closed=True)
    return framed
