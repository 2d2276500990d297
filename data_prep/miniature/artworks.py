"""Paintings, vases, plates and carved slabs. Stands in for the Met.

The museum's own pictures are clean and frontal; a visitor's query is taken at an angle, in coloured gallery
light, with glare, other frames on the wall and heads in front. A family is a workshop: same kind of object,
palette and manner.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, paintings, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Solid

CATALOGUE = photograph.Roughness(light=0.25, cast=0.04, blur=0.5, noise=3.0)
VISITOR = photograph.Roughness(light=0.6, cast=0.1, blur=1.0, noise=8.0)
KINDS = ("painting", "vase", "plate", "slab")
Rng = np.random.Generator


@dataclass(frozen=True)
class Artwork:
    """One exhibit; flat ones hang on a wall."""

    solid: Solid
    flat: bool


def design(family: Rng, own: Rng) -> Artwork:
    """One work of one workshop."""
    kind = textures.any_of(family, KINDS)
    colours = textures.palette(family, 4)
    frame = hsv(family.uniform(0.05, 0.13), family.uniform(0.2, 0.8), family.uniform(0.2, 0.8))
    manner = int(family.integers(3))
    if kind == "painting":
        tall = family.choice([0.75, 1.0, 1.33])
        picture = paintings.framed(paintings.paint(manner, colours, own), frame, own)
        return Artwork(mesh.assemble([mesh.box((0, 0, 0), (1.0, float(tall), 0.06), frame, [picture])]), True)
    if kind == "slab":
        stone = mix(colours[0], (165, 150, 130), 0.7)
        return Artwork(
            mesh.assemble(
                [
                    mesh.box(
                        (0, 0, 0), (1.0, family.uniform(0.8, 1.3), 0.25), stone, [_carve(stone, manner, own)]
                    )
                ]
            ),
            False,
        )
    if kind == "plate":
        return Artwork(_plate(colours, manner, own), True)
    return Artwork(_vase(colours, family, own), False)


def _carve(stone: Colour, manner: int, own: Rng) -> np.ndarray:
    """A relief on stone, uint8 [144, 144, 3]: signs in rows, or one large figure."""
    slab = textures.grain(drawing.blank(144, 144, stone), own, 0.3, (20, 20))
    dark, light = mix(stone, (30, 25, 20), 0.55), mix(stone, (255, 250, 235), 0.5)
    rows = int(own.integers(2, 5)) if manner else 1
    signs = [textures.glyph_outline(own) for _ in range(4)]
    for row in range(rows):
        for column in range(rows):
            size = 50 / rows
            centre = (
                (column + 0.5) * 144 / rows + own.normal(0, 3),
                (row + 0.5) * 144 / rows + own.normal(0, 3),
            )
            sign = signs[int(own.integers(4))]
            textures.stamp(slab, sign, (centre[0] + 2, centre[1] + 2), size * 1.05, dark)
            textures.stamp(slab, sign, centre, size, light if own.random() < 0.5 else mix(stone, light, 0.3))
    for _ in range(int(own.integers(1, 5))):
        drawing.stroke(slab, own.uniform(0, 144, (3, 2)), dark, 2)
    corner = own.integers(4)
    chip = np.array([[0, 0], [own.uniform(10, 45), 0], [0, own.uniform(10, 45)]])
    drawing.fill(
        slab, np.abs(chip - [(0, 0), (143, 0), (143, 143), (0, 143)][corner]), mix(dark, (0, 0, 0), 0.5)
    )
    return slab


def _plate(colours: list[Colour], manner: int, own: Rng) -> Solid:
    """A round dish with rings and a ring of signs, seen flat."""
    dish = np.zeros((144, 144, 4), dtype=np.uint8)
    radius = 71.0
    for k in range(int(own.integers(3, 6))):
        drawing.ellipse(dish, (72, 72), (radius, radius), (*colours[k % 4], 255))
        radius -= own.uniform(5, 17)
    sign, n_signs, ring = textures.glyph_outline(own), int(own.integers(4, 13)), own.uniform(42, 58)
    ink = (*hsv(own.random(), own.uniform(0.3, 0.9), own.uniform(0.1, 0.9)), 255)
    for k in range(n_signs):
        angle = 2 * np.pi * k / n_signs
        textures.stamp(
            dish,
            sign,
            (72 + ring * np.cos(angle), 72 + ring * np.sin(angle)),
            own.uniform(7, 8) * 6 / (n_signs + 1) + 3,
            ink,
        )
    textures.stamp(
        dish, textures.glyph_outline(own), (72, 72), own.uniform(12, 30), (*colours[(manner + 1) % 4], 255)
    )
    corners = np.array([[-0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, -0.5, 0], [-0.5, -0.5, 0.0]])
    return mesh.assemble([mesh.Part(corners, [((0, 1, 2, 3), colours[0], dish)])])


def _vase(colours: list[Colour], family: Rng, own: Rng) -> Solid:
    """A turned vessel with painted bands."""
    belly, neck = family.uniform(0.28, 0.48), family.uniform(0.1, 0.22)
    outline = np.array(
        [
            [own.uniform(0.12, 0.25), 0],
            [belly * own.uniform(0.7, 1), own.uniform(0.2, 0.4)],
            [belly, own.uniform(0.5, 0.7)],
            [neck, own.uniform(0.8, 1.0)],
            [neck * own.uniform(0.9, 1.8), 1.15],
        ]
    )
    bands = {}
    for ring in range(3):
        band = textures.pattern(
            textures.any_of(own, textures.PATTERNS),
            (60, 192),
            [colours[ring], mix(colours[ring + 1], (30, 20, 15), 0.4)],
            own,
        )
        sign = textures.glyph_outline(own)
        if ring == 1:
            for x in range(16, 192, int(own.integers(24, 64))):
                textures.stamp(band, sign, (x, 30), own.uniform(14, 24), colours[3])
        bands[ring] = textures.grain(band, own, 0.2, (6, 14))
    return mesh.assemble([mesh.revolution(outline, 14, colours, skins=bands)])


def photo(work: Artwork, rng: Rng, style: str) -> np.ndarray:
    """style: 'catalogue' (the museum's picture) or 'visitor' (a query)."""
    visitor = style == "visitor"
    size = photograph.photo_size(rng, (0.75, 1.33))
    shape = photograph.drawing_size(size)
    canvas = _gallery(shape, rng) if visitor else photograph.studio(shape, rng)
    reach = 0.7 if visitor else 0.25
    turn = 0.0 if work.flat else rng.uniform(-0.6, 0.6)
    camera = Camera(
        yaw=turn + rng.uniform(-reach, reach),
        pitch=rng.uniform(-0.2, 0.35) if visitor else rng.uniform(0, 0.2),
        roll=rng.normal(0, 0.08 if visitor else 0.01),
        distance=rng.uniform(1.8, 5),
        fill=rng.uniform(0.5, 1.3) if visitor else rng.uniform(0.7, 1.1),
        centre_xy=(rng.uniform(0.38, 0.62), rng.uniform(0.4, 0.6)) if visitor else (0.5, 0.5),
    )
    photograph.put(canvas, work.solid, camera, rng, shadow=1.0 if work.flat else 0.6)
    if not visitor:
        return photograph.develop(canvas, size, rng, CATALOGUE)
    if rng.random() < 0.4:
        glare = drawing.smooth_noise(rng, shape, (4, 4))[:, :, None] ** 3
        canvas = np.clip(canvas + 110 * glare, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        photograph.occlude(canvas, rng, 0.3)
    return photograph.develop(canvas, size, rng, VISITOR)


def _gallery(shape: tuple[int, int], rng: Rng) -> np.ndarray:
    """A gallery wall with other frames on it."""
    height, width = shape[0] // 2, shape[1] // 2
    canvas = drawing.blank(height, width, hsv(rng.random(), rng.uniform(0.02, 0.5), rng.uniform(0.25, 0.9)))
    canvas[int(height * rng.uniform(0.8, 0.97)) :] = hsv(0.07, 0.5, rng.uniform(0.15, 0.5))
    for _ in range(int(rng.integers(0, 4))):
        x, y, w, h = (
            rng.uniform(-0.2, 1.0) * width,
            rng.uniform(-0.1, 0.6) * height,
            rng.uniform(0.1, 0.4) * width,
            rng.uniform(0.1, 0.4) * height,
        )
        for inset, colour in (
            (0, hsv(0.1, 0.5, rng.uniform(0.2, 0.7))),
            (3, hsv(rng.random(), 0.4, rng.uniform(0.2, 0.8))),
        ):
            drawing.fill(
                canvas,
                np.array(
                    [
                        [x + inset, y + inset],
                        [x + w - inset, y + inset],
                        [x + w - inset, y + h - inset],
                        [x + inset, y + h - inset],
                    ]
                ),
                colour,
            )
    return drawing.stretch(drawing.blur(textures.grain(canvas, rng, 0.2, (3, 3)), 0.8), *shape)
