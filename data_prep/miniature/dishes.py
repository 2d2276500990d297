"""Dishes on plates, in bowls and on boards. Stands in for the food sets.

An item is a dish, not a plate of it: every photo shows another serving, its ingredients laid out anew. A family
is a cuisine: same crockery and the same way to serve; its dishes differ in their ingredients.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix

PHONE = photograph.Roughness(light=0.5, cast=0.12, blur=0.9, noise=7.0)
MENU = photograph.Roughness(light=0.25, cast=0.05, blur=0.5, noise=3.0)
STYLES = ("menu", "phone")
SERVINGS = ("heap", "soup", "ring", "slices")
SIDE_PX = 200  # of the canvas on which crockery and food are laid out, seen from above
FOOD_PX = 62.0  # radius of the part of it that food covers
Rng = np.random.Generator


@dataclass(frozen=True)
class Ingredient:
    """Pieces of one shape: outline [N, 2] within radius 1, their colour, number and size."""

    outline: np.ndarray
    colour: Colour
    number: int
    radius_px: float


@dataclass(frozen=True)
class Dish:
    """One dish. serving is one of SERVINGS; crockery is rim and inside colour; ground is what all lies on."""

    serving: str
    crockery: tuple[Colour, Colour]
    is_round: bool
    ground: Colour
    ingredients: tuple[Ingredient, ...]


def design(family: Rng, own: Rng) -> Dish:
    """One dish of one cuisine."""
    serving = textures.any_of(family, SERVINGS)
    rim = hsv(family.random(), family.uniform(0.0, 0.7), family.uniform(0.25, 1.0))
    inside = mix(rim, (245, 243, 238), family.uniform(0.4, 1.0))
    is_round = serving == "soup" or bool(family.random() < 0.7)
    ground = hsv(own.uniform(0.02, 0.2), own.uniform(0.3, 0.9), own.uniform(0.3, 0.95))
    ingredients = tuple(_ingredient(own) for _ in range(int(own.integers(2, 5))))
    return Dish(serving, (rim, inside), is_round, ground, ingredients)


def photo(dish: Dish, rng: Rng, style: str) -> np.ndarray:
    """A serving. style: 'menu' (from above, even table) or 'phone' (from the guest's seat, things about)."""
    phone = style == "phone"
    size = photograph.photo_size(rng, (0.75, 1.35))
    shape = photograph.drawing_size(size)
    canvas = _table(shape, rng, phone)
    served = serve(dish, rng)
    reach = min(shape) * (rng.uniform(0.42, 0.66) if phone else rng.uniform(0.42, 0.52))
    middle = np.array([shape[1] * rng.uniform(0.42, 0.58), shape[0] * rng.uniform(0.42, 0.58)])
    quad = _seen_from(rng.uniform(0.35, 0.95) if phone else rng.uniform(0, 0.2), rng.uniform(0, 2 * np.pi))
    quad = quad * reach + middle
    shadow = _circle(24) * 1.02 * np.ptp(quad, axis=0) / (2.9, 2.9) if dish.is_round else (quad - middle) * 0.8
    drawing.darken(canvas, shadow + middle + 0.04 * reach, 0.6, 0.04 * reach)
    drawing.place(canvas, served, quad)
    if phone and rng.random() < 0.5:
        photograph.occlude(canvas, rng, 0.2)
    return photograph.develop(canvas, size, rng, PHONE if phone else MENU)


def serve(dish: Dish, rng: Rng) -> np.ndarray:
    """One serving seen from above, uint8 [200, 200, 4]; clear beside the crockery."""
    sheet = np.zeros((SIDE_PX, SIDE_PX, 4), dtype=np.uint8)
    centre = (SIDE_PX / 2, SIDE_PX / 2)
    for radius, colour in (
        (96, dish.crockery[0]),
        (84, dish.crockery[1]),
        (76, mix(dish.crockery[1], (90, 85, 80), 0.15)),
    ):
        if dish.is_round:
            drawing.ellipse(sheet, centre, (radius, radius), (*colour, 255))
        else:
            corners = drawing.rectangle(100 - radius, 100 - 0.75 * radius, 100 + radius, 100 + 0.75 * radius)
            drawing.fill(sheet, corners, (*colour, 255))
    food = np.ascontiguousarray(sheet[:, :, :3])
    reach = FOOD_PX * rng.uniform(0.85, 1.05) * (1.0 if dish.is_round else 0.85)
    if dish.serving == "soup":
        drawing.ellipse(food, centre, (74, 74), dish.ground)
    else:
        lump = textures.glyph_outline(rng) * 0.25 + 0.75 * _circle(48)
        drawing.fill(food, lump * reach + centre, dish.ground)
    for ingredient in dish.ingredients:
        for at, turn in _places(dish.serving, ingredient, reach, rng):
            _lay(food, ingredient, at + centre, turn, rng)
    sheet[:, :, :3] = textures.grain(food, rng, 0.12, (24, 24))
    return sheet


def _ingredient(own: Rng) -> Ingredient:
    colour = hsv(
        own.choice([0.02, 0.08, 0.13, 0.28, 0.35, 0.95]) + own.normal(0, 0.02),
        own.uniform(0.15, 0.95),
        own.uniform(0.25, 1.0),
    )
    outline = textures.glyph_outline(own) * (1.0, own.uniform(0.35, 1.0))
    return Ingredient(outline, colour, int(own.integers(4, 22)), own.uniform(5, 20))


def _places(serving: str, ingredient: Ingredient, reach: float, rng: Rng) -> list[tuple[np.ndarray, float]]:
    """Where the pieces lie, px from the middle, and how they are turned."""
    n = max(2, ingredient.number + int(rng.integers(-2, 3)))
    angles, turns = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 2 * np.pi, n)
    distances = np.sqrt(rng.random(n)) * reach * 0.9
    if serving == "ring":
        angles = np.linspace(0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, 1)
        distances, turns = np.full(n, reach * 0.75), angles
    if serving == "slices":
        along = np.linspace(-0.8, 0.8, n) * reach + rng.normal(0, 2, n)
        across = rng.normal(0, 0.08 * reach, n)
        return [(np.array([x, y]), 0.2) for x, y in zip(along, across, strict=True)]
    offsets = np.column_stack([distances * np.cos(angles), distances * np.sin(angles)])
    return list(zip(offsets, turns.tolist(), strict=True))


def _lay(food: np.ndarray, ingredient: Ingredient, at: np.ndarray, turn: float, rng: Rng) -> None:
    """One piece with its shadow and a lit upper part."""
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    piece, radius = ingredient.outline @ spin.T, ingredient.radius_px * rng.uniform(0.8, 1.15)
    x, y = at
    colour = mix(ingredient.colour, (60, 40, 20), rng.uniform(0, 0.2))
    textures.stamp(food, piece, (x + 1.5, y + 2), radius, mix(colour, (20, 12, 6), 0.6))
    textures.stamp(food, piece, (x, y), radius, colour)
    textures.stamp(food, piece, (x - 0.15 * radius, y - 0.2 * radius), radius * 0.5, mix(colour, (255, 250, 235), 0.25))


def _table(shape: tuple[int, int], rng: Rng, phone: bool) -> np.ndarray:
    """Wood, cloth or stone; on a guest's table other things stand about."""
    colour = hsv(rng.uniform(0.02, 0.14), rng.uniform(0.05, 0.6), rng.uniform(0.3, 0.95))
    canvas = drawing.blank(*shape, colour)
    if phone and rng.random() < 0.5:
        kind = textures.any_of(rng, textures.PATTERNS)
        canvas = textures.pattern(kind, shape, [colour, mix(colour, (250, 250, 250), rng.uniform(0.1, 0.7))], rng)
    canvas = textures.grain(canvas, rng, 0.3, (int(rng.integers(4, 24)), 3))
    if phone:
        photograph.occlude(canvas, rng, 0.3)
    return canvas


def _seen_from(tilt_rad: float, turn_rad: float) -> np.ndarray:
    """Corners [4, 2] of a square of half side 1 turned on the table and seen from `tilt_rad` off above."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    spin = np.array([[np.cos(turn_rad), -np.sin(turn_rad)], [np.sin(turn_rad), np.cos(turn_rad)]])
    flat = corners @ spin.T
    nearness = 1 + 0.25 * np.sin(tilt_rad) * flat[:, 1]
    return np.column_stack([flat[:, 0] * nearness, flat[:, 1] * nearness * np.cos(tilt_rad)])


def _circle(n_points: int) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)])
