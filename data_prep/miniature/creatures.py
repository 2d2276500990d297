"""Flowers, fungi, birds and beetles out of doors. Stands in for iNaturalist's species.

An item is a species: each photo shows another one of its kind, of another size and turned another way. A family
is a genus: same kind and build; its species differ in colours, marks and proportions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.1, blur=0.9, noise=7.0)
KINDS = {"flower": "Plantae", "fungus": "Fungi", "bird": "Aves", "beetle": "Insecta"}  # and their supercategory
STYLES = ("field", "close")
SIDE_PX = 160
Rng = np.random.Generator


@dataclass(frozen=True)
class Species:
    """One species. kind is one of KINDS; build are proportions around 1 by which its family differs from others."""

    kind: str
    colours: tuple[Colour, Colour, Colour]
    build: tuple[float, float]
    marks: int
    mark: np.ndarray


def kind_of(family: Rng) -> str:
    """The kind of a genus; the first thing its generator decides."""
    return textures.any_of(family, tuple(KINDS))


def design(family: Rng, own: Rng) -> Species:
    """One species of one genus."""
    kind, shared = kind_of(family), textures.palette(family, 3)
    tints = [mix(colour, hsv(own.random(), own.uniform(0.3, 0.95), own.uniform(0.25, 1.0)), 0.6) for colour in shared]
    build = (family.uniform(0.7, 1.3) * own.uniform(0.85, 1.15), family.uniform(0.7, 1.3) * own.uniform(0.85, 1.15))
    return Species(kind, (tints[0], tints[1], tints[2]), build, int(own.integers(2, 12)), textures.glyph_outline(own))


def photo(species: Species, rng: Rng, style: str) -> np.ndarray:
    """An amateur's picture. style: 'field' (the whole, small) or 'close'."""
    size = photograph.photo_size(rng, (0.7, 1.45))
    shape = photograph.drawing_size(size)
    canvas = photograph.outdoors(shape, rng, "grass")
    sheet = np.zeros((SIDE_PX, SIDE_PX, 4), dtype=np.uint8)
    DRAWERS[species.kind](sheet, species, rng)
    sheet[:, :, :3] = textures.grain(np.ascontiguousarray(sheet[:, :, :3]), rng, 0.25, (10, 10))
    reach = min(shape) * (rng.uniform(0.55, 0.8) if style == "close" else rng.uniform(0.38, 0.52))
    lean, squeeze = rng.normal(0, 0.2), rng.uniform(0.8, 1.1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (squeeze, 1) * (rng.choice([-1, 1]), 1)
    spin = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    middle = (shape[1] * rng.uniform(0.4, 0.6), shape[0] * rng.uniform(0.42, 0.58))
    drawing.place(canvas, sheet, corners @ spin.T * reach + rng.normal(0, 0.03 * reach, (4, 2)) + middle)
    if rng.random() < 0.4:
        photograph.occlude(canvas, rng, 0.2)
    return photograph.develop(canvas, size, rng, ROUGHNESS)


def _flower(sheet: np.ndarray, species: Species, rng: Rng) -> None:
    """A stem with leaves and a head of petals."""
    petal, heart, _ = species.colours
    head = (80 + rng.normal(0, 4), 58 + rng.normal(0, 3))
    drawing.stroke(sheet, np.array([[80, 158], [80 + rng.normal(0, 8), 110], head]), (60, 110, 45, 255), 6)
    for side in (-1, 1):
        at, turn = (80 + side * 20, 125 + rng.normal(0, 6)), -side * 30 + rng.normal(0, 8)
        drawing.ellipse(sheet, at, (22, 8 * species.build[1]), (70, 130, 55, 255), turn)
    n_petals = species.marks + 3
    long, wide = 26 * species.build[0], 60 * species.build[1] / n_petals + 4
    first = rng.uniform(0, 2 * np.pi)
    for k in range(n_petals):
        angle = first + 2 * np.pi * k / n_petals
        at = (head[0] + long * np.cos(angle), head[1] + long * np.sin(angle))
        shade = mix(petal, (40, 20, 40), 0.2 * (k % 2))
        drawing.ellipse(sheet, at, (long * 0.8, wide), (*shade, 255), float(np.degrees(angle)))
    textures.stamp(sheet, species.mark, head, 15, (*heart, 255))


def _fungus(sheet: np.ndarray, species: Species, rng: Rng) -> None:
    """A stalk and a cap with spots."""
    cap, spots, stalk = species.colours
    wide, tall = 52 * species.build[0], 40 * species.build[1]
    pale = mix(stalk, (235, 225, 205), 0.6)
    drawing.fill(sheet, np.array([[70, 70], [90, 70], [96, 155], [64, 155]]), (*pale, 255))
    angles = np.linspace(np.pi, 2 * np.pi, 24)
    dome = np.column_stack([80 + wide * np.cos(angles), 82 + tall * 1.5 * np.sin(angles)])
    drawing.ellipse(sheet, (80, 82), (wide, 10), (*mix(cap, (30, 20, 15), 0.4), 255))
    drawing.fill(sheet, dome, (*cap, 255))
    for _ in range(species.marks + 2):
        angle, out = rng.uniform(1.15, 1.85) * np.pi, np.sqrt(rng.uniform(0.05, 0.75))
        at = (80 + out * wide * np.cos(angle), 80 + out * tall * 1.4 * np.sin(angle))
        textures.stamp(sheet, species.mark, at, rng.uniform(5, 8), (*spots, 255))


def _bird(sheet: np.ndarray, species: Species, rng: Rng) -> None:
    """Body, wing, tail, head, beak, legs."""
    body, wing, beak = species.colours
    lift = rng.normal(0, 4)
    for x in (72, 86):
        drawing.stroke(sheet, np.array([[x, 110], [x + rng.normal(0, 3), 150]]), (90, 70, 50, 255), 4)
    tail = np.array([[40, 88], [4, 96 + 14 * species.build[1] + lift], [14, 112 + lift], [52, 104]])
    drawing.fill(sheet, tail, (*mix(wing, (20, 20, 25), 0.3), 255))
    drawing.ellipse(sheet, (76, 92), (44, 26 * species.build[0]), (*body, 255), -12)
    drawing.ellipse(sheet, (66, 90), (30, 14 * species.build[1]), (*wing, 255), -4 + lift)
    for k in range(species.marks // 2):
        textures.stamp(sheet, species.mark, (46 + 9 * k, 92), 5, (*mix(wing, (250, 250, 245), 0.6), 255))
    head = (114, 62 + lift)
    drawing.fill(
        sheet, np.array([[124, 54 + lift], [124 + 26 * species.build[0], 64 + lift], [124, 70 + lift]]), (*beak, 255)
    )
    drawing.ellipse(sheet, head, (19, 19), (*mix(body, beak, 0.3), 255))
    drawing.ellipse(sheet, (119, 58 + lift), (4, 4), (15, 15, 20, 255))


def _beetle(sheet: np.ndarray, species: Species, rng: Rng) -> None:
    """Seen from above: legs, feelers, wing cases with marks."""
    shell, marks, head = species.colours
    long, wide = 48 * species.build[0], 34 * species.build[1]
    dark = (*mix(head, (15, 12, 10), 0.6), 255)
    for side in (-1, 1):
        for row in (-0.5, 0.0, 0.5):
            knee = (80 + side * (wide + 16), 88 + row * long + rng.normal(0, 4))
            foot = (knee[0] + side * 10, knee[1] + 14 * (1 if row >= 0 else -1))
            drawing.stroke(sheet, np.array([[80, 88 + row * long], knee, foot]), dark, 4)
        drawing.stroke(sheet, np.array([[80, 88 - long], [80 + side * rng.uniform(14, 30), 70 - long]]), dark, 3)
    drawing.ellipse(sheet, (80, 88 - long), (wide * 0.6, 14), dark)
    drawing.ellipse(sheet, (80, 88), (wide, long), (*shell, 255))
    for k in range(species.marks // 2 + 1):
        y = 88 - 0.7 * long + 1.4 * long * (k + 0.5) / (species.marks // 2 + 1)
        for side in (-1, 1):
            textures.stamp(sheet, species.mark, (80 + side * 0.5 * wide, y), 7, (*marks, 255))
    drawing.stroke(sheet, np.array([[80, 90 - long], [80, 86 + long]]), dark, 2)


DRAWERS: dict[str, Callable[[np.ndarray, Species, Rng], None]] = {
    "flower": _flower,
    "fungus": _fungus,
    "bird": _bird,
    "beetle": _beetle,
}
