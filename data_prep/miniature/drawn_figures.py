"""Drawn characters with large eyes, cut to the face or whole, and pencil sketches. Stands in for DAF:re.

An item is a character: hair, eyes, dress and an ornament are always the same; pose, expression and the colour of
the paper are of the picture. A family shares the cut of the hair; its characters differ in colours and ornament.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix

ROUGHNESS = photograph.Roughness(light=0.12, cast=0.03, blur=0.4, noise=1.5)
STYLES = ("face", "whole", "sketch")
SIDE_PX = 200
INK: Colour = (35, 28, 32)
Rng = np.random.Generator


@dataclass(frozen=True)
class Character:
    """One character. fringe [N, 2] runs from left to right over the forehead, in head radii."""

    hair: Colour
    eyes: Colour
    skin: Colour
    dress: Colour
    fringe: np.ndarray
    length: float  # of the hair beside the face, head radii
    ornament: np.ndarray
    ornament_at: tuple[float, float]


def design(family: Rng, own: Rng) -> Character:
    """One character of one family."""
    n_tips = int(family.integers(3, 8))
    across = np.linspace(-1.0, 1.0, 2 * n_tips + 1)
    depth = np.where(np.arange(2 * n_tips + 1) % 2 == 1, family.uniform(-0.3, 0.05), family.uniform(-0.75, -0.5))
    return Character(
        hair=hsv(own.random(), own.uniform(0.2, 0.9), own.uniform(0.2, 0.95)),
        eyes=hsv(own.random(), own.uniform(0.5, 1.0), own.uniform(0.4, 0.9)),
        skin=hsv(own.uniform(0.04, 0.09), own.uniform(0.12, 0.4), own.uniform(0.75, 1.0)),
        dress=hsv(own.random(), own.uniform(0.2, 0.9), own.uniform(0.2, 0.95)),
        fringe=np.column_stack([across, depth + own.normal(0, 0.04, len(depth))]),
        length=family.uniform(0.3, 1.8),
        ornament=textures.glyph_outline(own),
        ornament_at=(own.uniform(-0.8, 0.8), own.uniform(-1.0, -0.75)),
    )


def photo(character: Character, rng: Rng, style: str) -> np.ndarray:
    """A drawing. style: 'face' (cut to it), 'whole' (head and shoulders, more room) or 'sketch' (ink on paper)."""
    size = photograph.photo_size(rng, (0.8, 1.0))
    shape = photograph.drawing_size(size)
    sheet = np.zeros((SIDE_PX, SIDE_PX, 4), dtype=np.uint8)
    draw(sheet, character, rng)
    paper = hsv(rng.random(), rng.uniform(0.0, 0.5), rng.uniform(0.6, 1.0))
    canvas = drawing.blank(*shape, (246, 243, 236) if style == "sketch" else paper)
    if style == "whole":
        kind = textures.any_of(rng, textures.PATTERNS)
        canvas = textures.pattern(kind, shape, [paper, mix(paper, (255, 255, 255), rng.uniform(0.3, 0.8))], rng)
    reach = max(shape) * (rng.uniform(0.38, 0.5) if style == "whole" else rng.uniform(0.6, 0.75))
    middle = (shape[1] * rng.uniform(0.45, 0.55), shape[0] * rng.uniform(0.5, 0.6))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (rng.choice([-1, 1]) * rng.uniform(0.9, 1.05), 1)
    lean = rng.normal(0, 0.12)
    spin = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    drawing.place(canvas, sheet, corners @ spin.T * reach + middle)
    if style == "sketch":
        canvas = _inked(canvas)
    return photograph.develop(canvas, size, rng, ROUGHNESS)


def draw(sheet: np.ndarray, character: Character, rng: Rng) -> None:
    """The figure on a clear sheet [200, 200, 4]: hair behind, dress, face, fringe, ornament."""
    x, y, radius = 100.0, 88.0, 52.0
    hair, ink = (*character.hair, 255), (*INK, 255)
    low = y + radius * character.length
    drawing.fill(sheet, drawing.rectangle(x - radius * 1.15, y - 10, x + radius * 1.15, low), hair)
    drawing.ellipse(sheet, (x, y - 6), (radius * 1.18, radius * 1.15), hair)
    neck = drawing.rectangle(x - 12, y + radius * 0.7, x + 12, y + radius * 1.35)
    drawing.fill(sheet, neck, (*mix(character.skin, (120, 60, 50), 0.2), 255))
    shoulders = np.array([[x - 16, 150], [x + 16, 150], [x + 70, 199], [x - 70, 199]])
    drawing.fill(sheet, shoulders, (*character.dress, 255))
    textures.stamp(sheet, character.ornament, (x, 180), 9, (*mix(character.dress, (255, 255, 255), 0.6), 255))
    jaw = np.array(
        [[-0.92, -0.3], [-0.85, 0.3], [-0.4, 0.85], [0, 1.0], [0.4, 0.85], [0.85, 0.3], [0.92, -0.3], [0, -0.9]]
    )
    face = jaw * radius + (x, y)
    drawing.fill(sheet, face, (*character.skin, 255))
    drawing.stroke(sheet, face[:7], ink, 2)
    _features(sheet, character, (x, y, radius), rng)
    fringe = np.vstack([character.fringe, [[1.05, -0.9], [0.5, -1.15], [-0.5, -1.15], [-1.05, -0.9]]]) * radius + (x, y)
    drawing.fill(sheet, fringe, (*mix(character.hair, (255, 255, 255), 0.12), 255))
    drawing.stroke(sheet, fringe[: len(character.fringe)], ink, 2)
    at = (x + character.ornament_at[0] * radius, y + character.ornament_at[1] * radius)
    textures.stamp(sheet, character.ornament, at, 16, (*mix(character.eyes, (255, 240, 120), 0.4), 255))


def _features(sheet: np.ndarray, character: Character, head: tuple[float, float, float], rng: Rng) -> None:
    """Eyes open or half shut, a mouth, perhaps blushing."""
    x, y, radius = head
    look, lids, smile = rng.normal(0, 2), rng.uniform(0.55, 1.0), rng.uniform(-5, 8)
    for side in (-1, 1):
        eye = (x + side * 0.42 * radius + look, y + 0.18 * radius)
        drawing.ellipse(sheet, eye, (11, 15 * lids), (250, 250, 250, 255))
        drawing.ellipse(sheet, eye, (8, 12 * lids), (*character.eyes, 255))
        drawing.ellipse(sheet, (eye[0], eye[1] + 2), (4, 6 * lids), (*INK, 255))
        drawing.ellipse(sheet, (eye[0] - 3, eye[1] - 4 * lids), (2, 2), (255, 255, 255, 255))
        lid = np.array(
            [[eye[0] - 12, eye[1] - 12 * lids], [eye[0], eye[1] - 16 * lids], [eye[0] + 12, eye[1] - 12 * lids]]
        )
        drawing.stroke(sheet, lid, (*INK, 255), 3)
        if smile > 3:
            drawing.ellipse(
                sheet, (eye[0] + side * 4, eye[1] + 22), (8, 4), (*mix(character.skin, (235, 90, 90), 0.5), 255)
            )
    mouth = np.array([[x - 9, y + 0.62 * radius], [x, y + 0.62 * radius + smile], [x + 9, y + 0.62 * radius]])
    drawing.stroke(sheet, mouth, (150, 60, 60, 255), 2)


def _inked(canvas: np.ndarray) -> np.ndarray:
    """Only the edges, dark on light."""
    grey = canvas.mean(axis=2, dtype=np.float32)
    rise_y, rise_x = np.gradient(grey)
    tone = 246 - np.clip(5 * np.hypot(rise_x, rise_y), 0, 210)
    return np.repeat(tone.astype(np.uint8)[:, :, None], 3, axis=2)
