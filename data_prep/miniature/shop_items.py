"""Household goods as sellers photograph them. Stands in for Stanford Online Products.

A family shares category, colours and build; its siblings differ in proportions, in details such as legs,
slats, drawers and handles, and in the pattern of their surface.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.miniature import furniture, housewares, mesh, photograph, textures
from data_prep.miniature.drawing import hsv, mix
from data_prep.miniature.furniture import Look
from data_prep.miniature.mesh import Camera, Part, Solid

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)
Rng = np.random.Generator


@dataclass(frozen=True)
class ShopItem:
    """One thing for sale; category is one of CATEGORIES."""

    solid: Solid
    category: str


BUILDERS: dict[str, Callable[[Rng, Rng, Look], list[Part]]] = {
    "cabinet": furniture.cabinet,
    "chair": furniture.chair,
    "kettle": housewares.kettle,
    "lamp": housewares.lamp,
    "mug": housewares.mug,
    "sofa": furniture.sofa,
    "table": furniture.table,
    "toaster": housewares.toaster,
}
CATEGORIES = tuple(BUILDERS)


def category_of(family: Rng) -> str:
    """The category of a family's items; the first thing its generator decides."""
    return textures.any_of(family, CATEGORIES)


def design(family: Rng, own: Rng) -> ShopItem:
    """One item of one family."""
    category = category_of(family)
    main, second, other = (mix(colour, (150, 140, 130), 0.35) for colour in textures.palette(family, 3))
    second = mix(second, hsv(own.random(), own.uniform(0.2, 0.9), own.uniform(0.2, 0.9)), 0.6)
    dark = hsv(own.random(), own.uniform(0, 0.5), own.uniform(0.08, 0.4))
    kind = textures.any_of(own, textures.PATTERNS) if own.random() < 0.6 else "plain"
    skin = textures.pattern(kind, (96, 96), [main, mix(main, other, own.uniform(0.3, 1.0)), second], own)
    look = Look(main, second, dark, textures.grain(skin, own, 0.12, (4, 12)))
    return ShopItem(mesh.assemble(BUILDERS[category](family, own, look)), category)


def photo(item: ShopItem, rng: Rng, style: str) -> np.ndarray:
    """A seller's picture. style: 'shop' (even backdrop) or 'home' (in a room)."""
    size = photograph.photo_size(rng, (0.75, 1.33))
    shape = photograph.drawing_size(size)
    home = style == "home"
    canvas = photograph.room(shape, rng) if home else photograph.studio(shape, rng)
    camera = Camera(
        yaw=rng.uniform(-0.9, 0.9),
        pitch=rng.uniform(0.0, 0.7),
        roll=rng.normal(0, 0.08),
        distance=rng.uniform(2.5, 6),
        fill=rng.uniform(0.5, 1.2) if home else rng.uniform(0.7, 1.0),
        centre_xy=(rng.uniform(0.4, 0.6), rng.uniform(0.42, 0.6)),
    )
    photograph.put(canvas, item.solid, camera, rng)
    if home and rng.random() < 0.4:
        photograph.occlude(canvas, rng, 0.25)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
