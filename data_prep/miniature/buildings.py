"""Landmark buildings in changing weather, light and distance. Stands in for Google Landmarks v2.

A family is an architect: same stone, roofs and window style. Its siblings differ in the number, height and
place of their towers, wings and domes.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Part, Solid

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)
ROOFS = ("spire", "dome", "onion", "flat", "battlement")
Rng = np.random.Generator


@dataclass(frozen=True)
class Building:
    """One landmark."""

    solid: Solid


@dataclass(frozen=True)
class Order:
    """What an architect repeats: stone, roof colour, roof forms, and the wall of one window [48, 48, 3]."""

    stone: Colour
    roof: Colour
    forms: tuple[str, str]
    wall: np.ndarray


def _order(family: Rng) -> Order:
    stone = hsv(family.uniform(0.02, 0.14), family.uniform(0.03, 0.5), family.uniform(0.45, 0.95))
    if family.random() < 0.15:
        stone = hsv(family.random(), family.uniform(0.1, 0.5), family.uniform(0.5, 0.9))
    roof = hsv(
        family.choice([0.02, 0.4, 0.58, 0.12]) + family.normal(0, 0.02),
        family.uniform(0.1, 0.8),
        family.uniform(0.2, 0.8),
    )
    wall = textures.grain(drawing.blank(48, 48, stone), family, 0.15, (12, 8))
    wide, high, round_top = family.uniform(5, 13), family.uniform(10, 17), family.random() < 0.5
    frame = mix(stone, (255, 255, 250), family.uniform(-0.5, 0.6))
    for grow, colour in ((3, frame), (0, (38, 40, 48))):
        half, tall = wide + grow, high + grow
        drawing.fill(
            wall,
            np.array(
                [
                    [24 - half, 26 - tall / 2],
                    [24 + half, 26 - tall / 2],
                    [24 + half, 26 + tall],
                    [24 - half, 26 + tall],
                ]
            ),
            colour,
        )
        if round_top:
            drawing.ellipse(wall, (24, 26 - tall / 2), (half, half), colour)
    if family.random() < 0.5:
        wall[44:] = frame
    return Order(stone, roof, (textures.any_of(family, ROOFS), textures.any_of(family, ROOFS)), wall)


def _facade(order: Order, columns: int, storeys: int) -> np.ndarray:
    """Windows in rows, uint8, at most 192 px a side."""
    small = drawing.shrink(order.wall, max(16, min(48, 192 // storeys)), max(16, min(48, 192 // columns)))
    return np.tile(small, (storeys, columns, 1))


def _block(
    order: Order, centre: tuple[float, float], size: tuple[float, float, float], door: bool = False
) -> Part:
    """A wing at centre (x, z) of size (width, height, depth), standing on the ground."""
    storeys = max(1, round(size[1] / 0.28))
    front = _facade(order, max(1, round(size[0] / 0.25)), storeys)
    side = _facade(order, max(1, round(size[2] / 0.25)), storeys)
    if door:
        front = front.copy()
        height, width = front.shape[:2]
        drawing.fill(
            front,
            np.array(
                [
                    [width * 0.4, height],
                    [width * 0.4, height * 0.7],
                    [width * 0.6, height * 0.7],
                    [width * 0.6, height],
                ]
            ),
            (45, 30, 24),
        )
        drawing.ellipse(front, (width * 0.5, height * 0.7), (width * 0.1, width * 0.1), (45, 30, 24))
    return mesh.box((centre[0], size[1] / 2, centre[1]), size, order.stone, [front, side, front, side])


def _cap(
    order: Order, form: str, centre: tuple[float, float], base: float, radius: float, tall: float
) -> list[Part]:
    """What sits on a tower: base is the height at which it starts."""
    at = (centre[0], base, centre[1])
    if form == "flat":
        return [mesh.box((centre[0], base + 0.03, centre[1]), (radius * 2.3, 0.06, radius * 2.3), order.roof)]
    if form == "battlement":
        ring = [
            mesh.box(
                (centre[0] + x * radius * 0.85, base + 0.06, centre[1] + z * radius * 0.85),
                (radius * 0.4, 0.12, radius * 0.4),
                order.stone,
            )
            for x in (-1, 0, 1)
            for z in (-1, 1)
        ]
        return ring
    outline = {
        "spire": [[1.1, 0], [0.04, tall]],
        "dome": [
            [1.0, 0],
            [0.95, 0.35 * radius / 0.2],
            [0.7, 0.7 * radius / 0.2],
            [0.3, 0.95 * radius / 0.2],
            [0.05, 1.0 * radius / 0.2],
        ],
        "onion": [[0.7, 0], [1.15, 0.3 * tall], [0.9, 0.5 * tall], [0.3, 0.75 * tall], [0.03, tall]],
    }[form]
    scaled = np.array(outline) * (radius, 1.0 if form != "dome" else 0.2)
    return [
        mesh.revolution(
            scaled,
            4 if form == "spire" else 10,
            [order.roof],
            centre=at,
            turn=np.pi / 4 if form == "spire" else 0,
        )
    ]


def design(family: Rng, own: Rng) -> Building:
    """One building by one architect."""
    order = _order(family)
    size = (own.uniform(0.9, 2.2), own.uniform(0.4, 1.0), own.uniform(0.5, 1.0))
    parts = [_block(order, (0, 0), size, door=True)]
    if own.random() < 0.6:
        parts.append(_gable(order, size, own))
    parts += _towers(order, size, own)
    n_columns = int(own.choice([0, 0, 4, 6]))
    if n_columns:
        parts += _portico(order, size, n_columns)
    return Building(mesh.assemble(parts))


def _gable(order: Order, size: tuple[float, float, float], own: Rng) -> Part:
    """The roof over a wing of size (width, height, depth)."""
    half, height, depth = size[0] / 2, size[1], size[2]
    eaves = [[-half - 0.04, height], [half + 0.04, height]]
    right = [half * own.uniform(0, 0.9), height + own.uniform(0.15, 0.5)]
    left = [-half * own.uniform(0, 0.9), height + own.uniform(0.15, 0.45)]
    profile = np.array([*eaves, right, [0, height + 0.5], left])
    return mesh.prism(profile, depth / 2 + 0.03, [order.roof], mix(order.roof, order.stone, 0.6))


def _towers(order: Order, size: tuple[float, float, float], own: Rng) -> list[Part]:
    """One to three towers, some in pairs, round or square, with their roofs."""
    parts = []
    places = own.permutation(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    for place in places[: int(own.integers(1, 4))]:
        form = order.forms[int(own.integers(2))]
        radius, tall = own.uniform(0.1, 0.24), size[1] + own.uniform(0.15, 1.1)
        for side in (-1, 1) if place and own.random() < 0.6 else (1,):
            x, z = side * place * size[0] / 2, own.choice([0.0, size[2] / 2, size[2] * 0.35])
            if own.random() < 0.35:
                skins = {0: _facade(order, 8, max(1, round(tall / 0.28)))}
                wall = np.array([[radius, 0], [radius, tall]])
                parts.append(mesh.revolution(wall, 8, [order.stone], centre=(x, 0, z), skins=skins))
            else:
                parts.append(_block(order, (x, z), (radius * 2, tall, radius * 2)))
            parts += _cap(order, form, (x, z), tall, radius, own.uniform(0.3, 0.8))
    return parts


def _portico(order: Order, size: tuple[float, float, float], n_columns: int) -> list[Part]:
    """Columns and a beam before the front of a wing of size (width, height, depth)."""
    width, height, depth = size
    pale, paler = (mix(order.stone, (255, 255, 255), share) for share in (0.2, 0.3))
    outline = np.array([[0.04, 0.0], [0.035, height * 0.8]])
    parts = [mesh.box((0, height * 0.85, depth / 2 + 0.12), (width * 0.66, 0.1, 0.16), pale)]
    for k in range(n_columns):
        x = ((k + 0.5) / n_columns - 0.5) * width * 0.6
        parts.append(mesh.revolution(outline, 6, [paler], centre=(x, 0, depth / 2 + 0.14)))
    return parts


def _trees(canvas: np.ndarray, rng: Rng) -> None:
    """Bushes and people in front of the building, up to a third of the height."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(0, 4))):
        x, base, tall = (
            rng.uniform(0, width),
            rng.uniform(0.75, 1.05) * height,
            rng.uniform(0.08, 0.4) * height,
        )
        if rng.random() < 0.5:
            leaf = hsv(rng.uniform(0.2, 0.38), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.5))
            drawing.fill(
                canvas,
                np.array([[x - 3, base - tall], [x + 3, base - tall], [x + 4, base], [x - 4, base]]),
                (60, 45, 35),
            )
            drawing.fill(
                canvas, textures.glyph_outline(rng) * (0.5 * tall, 0.6 * tall) + (x, base - tall), leaf
            )
        else:
            wear = hsv(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.15, 0.9))
            drawing.ellipse(canvas, (x, base - 0.55 * tall), (0.11 * tall, 0.3 * tall), wear)
            drawing.ellipse(canvas, (x, base - 0.92 * tall), (0.07 * tall, 0.09 * tall), (190, 150, 125))
            drawing.fill(
                canvas,
                np.array(
                    [
                        [x - 0.08 * tall, base - 0.35 * tall],
                        [x + 0.08 * tall, base - 0.35 * tall],
                        [x + 0.06 * tall, base],
                        [x - 0.06 * tall, base],
                    ]
                ),
                (45, 45, 60),
            )


def photo(building: Building, rng: Rng, style: str) -> np.ndarray:
    """A visitor's picture. style: 'day' or 'evening' (low, coloured light)."""
    size = photograph.photo_size(rng, (0.7, 1.45))
    shape = photograph.drawing_size(size)
    canvas = photograph.outdoors(shape, rng, str(rng.choice(["road", "grass"])))
    camera = Camera(
        yaw=rng.uniform(-0.7, 0.7),
        pitch=rng.uniform(-0.1, 0.25),
        roll=rng.normal(0, 0.03),
        distance=rng.uniform(2.0, 5),
        fill=rng.uniform(0.7, 1.1),
        centre_xy=(rng.uniform(0.35, 0.65), rng.uniform(0.42, 0.6)),
    )
    photograph.put(canvas, building.solid, camera, rng, shadow=0.7)
    _trees(canvas, rng)
    if style == "evening":
        dusk = np.array(hsv(rng.choice([0.06, 0.62, 0.75]), rng.uniform(0.2, 0.5), 1.0)) / 255
        canvas = drawing.tint(canvas, (dusk * rng.uniform(0.6, 0.95)).reshape(1, 1, 3) * np.ones((2, 2, 1)))
    return photograph.develop(canvas, size, rng, ROUGHNESS)
