"""Packaged goods: cartons, tins, bottles and jars with a printed label. Stands in for Products-10K.

A family is one brand: same kind, shape and layout. Its siblings are flavours: they differ in the accent
colour, the flavour's word and picture, and the badge.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Part, Solid

KINDS = ("carton", "tin", "bottle", "jar")
ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)


@dataclass(frozen=True)
class Package:
    """One product. `front` says whether the label has a side that must face the camera."""

    solid: Solid
    kind: str


@dataclass(frozen=True)
class Brand:
    """What all flavours of a family share."""

    kind: str
    colours: list[Colour]
    name: str
    font: int
    ground: str
    word_top: float
    picture_at: tuple[float, float]
    proportion: float


def design(family: np.random.Generator, own: np.random.Generator) -> Package:
    """One flavour of one brand."""
    brand = Brand(
        kind=textures.any_of(family, KINDS),
        colours=textures.palette(family, 3),
        name=textures.word(family, 2),
        font=int(family.integers(4)),
        ground=textures.any_of(family, textures.PATTERNS[:6]),
        word_top=family.uniform(0.06, 0.3),
        picture_at=(family.uniform(0.35, 0.65), family.uniform(0.6, 0.78)),
        proportion=family.uniform(0.55, 0.95),
    )
    accent = hsv(own.random(), own.uniform(0.5, 1.0), own.uniform(0.4, 1.0))
    ground_seed, shape_seed = int(family.integers(2**31)), int(family.integers(2**31))
    label = _label(brand, accent, np.random.default_rng(ground_seed), own)
    shape = np.random.default_rng(shape_seed)
    if brand.kind == "carton":
        parts = _carton(brand, accent, label, shape, own)
    else:
        parts = [_turned(brand, accent, label, shape)]
    return Package(mesh.assemble(parts), brand.kind)


def _label(brand: Brand, accent: Colour, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """The printed front, uint8 [160, 120, 3]."""
    height, width = 160, 120
    low = mix(brand.colours[0], brand.colours[1], shared.uniform(0.15, 0.4))
    label = textures.pattern(brand.ground, (height, width), [brand.colours[0], low], shared)
    band_top, band = int(height * shared.uniform(0.4, 0.5)), int(height * shared.uniform(0.12, 0.2))
    label[band_top : band_top + band] = accent
    ink = (250, 250, 245) if sum(brand.colours[0]) < 380 else (25, 20, 30)
    top = int(brand.word_top * height)
    if shared.random() < 0.5:
        drawing.fill(
            label, np.array([[6, top - 4], [114, top - 4], [114, top + 38], [6, top + 38]]), brand.colours[2]
        )
        ink = (250, 250, 245) if sum(brand.colours[2]) < 380 else (25, 20, 30)
    drawing.write(label, brand.name, (10, top, 100, 32), ink, brand.font)
    drawing.write(label, textures.word(own, 2), (14, band_top + 2, 92, band - 4), (255, 255, 255), 1)
    picture, x, y = textures.glyph_outline(own), brand.picture_at[0] * width, brand.picture_at[1] * height
    size = own.uniform(19, 30)
    textures.stamp(label, picture, (x, y), size * 1.15, (250, 248, 240))
    textures.stamp(label, picture, (x, y), size, accent)
    for _ in range(int(own.integers(0, 4))):
        spot = hsv(own.random(), own.uniform(0.4, 1), own.uniform(0.3, 1))
        drawing.ellipse(
            label, (x + own.normal(0, 12), y + own.normal(0, 9)), (own.uniform(3, 8), own.uniform(3, 8)), spot
        )
    if own.random() < 0.5:
        at = (own.choice([18, 102]), own.choice([16, 140]))
        drawing.ellipse(label, at, (13, 13), hsv(own.random(), 0.9, 0.9))
        drawing.write(label, str(own.integers(1, 100)), (at[0] - 8, at[1] - 6, 16, 12), (255, 255, 255), 1)
    textures.small_print(label, (12, 148, 96, 9), 2, ink, shared)
    return label


def _carton(
    brand: Brand, accent: Colour, label: np.ndarray, shape: np.random.Generator, own: np.random.Generator
) -> list[Part]:
    side = drawing.blank(160, 60, mix(brand.colours[0], brand.colours[1], 0.3))
    side[:26] = accent
    drawing.write(side, brand.name, (4, 34, 52, 18), (245, 245, 245), brand.font)
    textures.small_print(side, (6, 62, 48, 64), 9, (240, 240, 240), own)
    side[134:152:1, 8:52] = 245
    side[134:152, 10:50:3] = 20
    top = drawing.blank(60, 120, brand.colours[1])
    drawing.write(top, brand.name, (20, 14, 80, 30), (245, 245, 245), brand.font)
    size = (brand.proportion, 1.0 * shape.uniform(0.9, 1.3), brand.proportion * shape.uniform(0.25, 0.7))
    return [mesh.box((0, 0, 0), size, brand.colours[0], [label, side, label, side, top])]


def _turned(brand: Brand, accent: Colour, label: np.ndarray, shape: np.random.Generator) -> Part:
    """A tin, bottle or jar: an outline turned round, the label wrapped about its belly."""
    radius, lid = 0.32 * brand.proportion / 0.75, mix(brand.colours[2], accent, 0.5)
    back = drawing.blank(160, 184, brand.colours[0])
    textures.small_print(back, (46, 20, 92, 90), 12, (240, 240, 240), shape)
    wrap = np.concatenate([back[:, 92:], label, back[:, :92]], axis=1)
    if brand.kind == "tin":
        outline = [
            (radius * 0.96, 0),
            (radius, 0.03),
            (radius, 0.85),
            (radius * 0.96, 0.9),
            (radius * 0.9, 0.9),
        ]
        colours = [(150, 150, 155), brand.colours[0], (170, 170, 175), (200, 200, 205)]
    elif brand.kind == "jar":
        neck = radius * shape.uniform(0.6, 0.85)
        outline = [
            (radius * 0.9, 0),
            (radius, 0.08),
            (radius, 0.6),
            (neck, 0.72),
            (neck * 1.1, 0.72),
            (neck * 1.1, 0.88),
        ]
        colours = [brand.colours[1], brand.colours[0], brand.colours[1], lid, lid]
    else:
        neck, shoulder = radius * shape.uniform(0.25, 0.5), shape.uniform(0.6, 0.8)
        outline = [
            (radius * 0.92, 0),
            (radius * 0.8, 0.12),
            (radius * 0.8, shoulder),
            (neck, shoulder + 0.22),
            (neck, 1.15),
            (neck * 1.2, 1.15),
            (neck * 1.2, 1.3),
        ]
        colours = [brand.colours[1], brand.colours[0], brand.colours[1], brand.colours[1], lid, lid]
    # The label is centred on angle pi of the wrap; the turn brings it to the front.
    return mesh.revolution(np.array(outline), 16, colours, skins={1: wrap}, turn=np.pi)


def photo(package: Package, rng: np.random.Generator, style: str) -> np.ndarray:
    """A picture of one package. style: 'shop' (even backdrop) or 'home' (a customer's: anything goes)."""
    size = photograph.photo_size(rng, (0.7, 1.3))
    shape = photograph.drawing_size(size)
    home = style == "home"
    canvas = photograph.room(shape, rng) if home else photograph.studio(shape, rng)
    yaw_reach = 0.6 if home else 0.45
    camera = Camera(
        yaw=rng.uniform(-yaw_reach, yaw_reach),
        pitch=rng.uniform(-0.1, 0.6),
        roll=rng.normal(0, 0.12 if home else 0.04),
        distance=rng.uniform(2.5, 6),
        fill=rng.uniform(0.6, 1.1) if home else rng.uniform(0.65, 0.95),
        centre_xy=(rng.uniform(0.38, 0.62), rng.uniform(0.42, 0.6)),
    )
    photograph.put(canvas, package.solid, camera, rng)
    if home and rng.random() < 0.35:
        photograph.occlude(canvas, rng, 0.25)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
