"""Paintings of one manner and palette. Stands in for WikiArt, whose classes are styles.

An item is a style and no painting: each photo reproduces another work in it. A family shares the manner
(landscapes, portraits, geometric); its styles differ in palette and in how rough the paint is.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, paintings, photograph, textures
from data_prep.miniature.drawing import Colour, mix

SCAN = photograph.Roughness(light=0.12, cast=0.04, blur=0.4, noise=2.0)
STYLES = ("scan", "framed")
N_MANNERS = 3
Rng = np.random.Generator


@dataclass(frozen=True)
class Style:
    """One style; roughness is the depth of its brush strokes."""

    manner: int
    colours: list[Colour]
    frame: Colour
    roughness: float


def design(family: Rng, own: Rng) -> Style:
    """One style of one family."""
    manner, shared = int(family.integers(N_MANNERS)), textures.palette(family, 4)
    colours = [mix(a, b, own.uniform(0.3, 0.9)) for a, b in zip(shared, textures.palette(own, 4), strict=True)]
    return Style(manner, colours, mix(colours[3], (110, 80, 30), 0.6), own.uniform(0.05, 0.5))


def photo(style_of_art: Style, rng: Rng, style: str) -> np.ndarray:
    """A reproduction of a new work. style: 'scan' (the picture alone) or 'framed'."""
    size = photograph.photo_size(rng, (0.7, 1.4))
    shape = photograph.drawing_size(size)
    work = paintings.paint(style_of_art.manner, style_of_art.colours, rng)
    work = textures.grain(work, rng, style_of_art.roughness, (28, 9))
    if style == "framed":
        work = paintings.framed(work, style_of_art.frame, rng)
    return photograph.develop(drawing.stretch(work, *shape), size, rng, SCAN)
