"""What tells one car model from another close up: wheels, nose and tail."""

import numpy as np

from data_prep.miniature import drawing, textures
from data_prep.miniature.drawing import Colour, mix
from data_prep.miniature.mesh import Part

Rng = np.random.Generator


def wheel(x: float, radius: float, z: float, own: Rng) -> Part:
    """A tyre with a rim texture, facing outwards."""
    rim = np.zeros((48, 48, 4), dtype=np.uint8)
    drawing.ellipse(rim, (24, 24), (23, 23), (28, 28, 30, 255))
    n_spokes, hub = int(own.integers(3, 11)), own.uniform(0.1, 0.4)
    metal = own.uniform(120, 235)
    reach = own.uniform(12, 18)
    drawing.ellipse(rim, (24, 24), (reach, reach), (metal * 0.4,) * 3 + (255,))
    for k in range(n_spokes):
        angle, half = 2 * np.pi * k / n_spokes, own.uniform(0.12, 0.14) * 6 / n_spokes + 0.05
        tips = [[24 + reach * np.cos(angle + s), 24 + reach * np.sin(angle + s)] for s in (-half, half)]
        drawing.fill(rim, np.array([[24, 24], *tips]), (metal,) * 3 + (255,))
    drawing.ellipse(rim, (24, 24), (reach * hub,) * 2, (metal * 0.8,) * 3 + (255,))
    corners = np.array(
        [[x - radius, 2 * radius, z], [x + radius, 2 * radius, z], [x + radius, 0, z], [x - radius, 0, z]]
    )
    return Part(corners, [((0, 1, 2, 3) if z > 0 else (1, 0, 3, 2), (30, 30, 30), rim)])


def nose(paint: Colour, shared: Rng, own: Rng) -> np.ndarray:
    """The car's face, uint8 [60, 120, 3]: grille, lamps, badge, plate."""
    face = drawing.blank(60, 120, mix(paint, (0, 0, 0), 0.08))
    grille_w, grille_h, grille_y = (
        shared.uniform(20, 45) + own.normal(0, 4),
        shared.uniform(8, 20) + own.normal(0, 2),
        own.uniform(18, 32),
    )
    box = np.array(
        [
            [60 - grille_w, grille_y],
            [60 + grille_w, grille_y],
            [60 + grille_w * own.uniform(0.6, 1.1), grille_y + grille_h],
            [60 - grille_w * own.uniform(0.6, 1.1), grille_y + grille_h],
        ]
    )
    drawing.fill(face, box, (22, 22, 24))
    if own.random() < 0.6:
        for k in range(int(own.integers(2, 6))):
            y = grille_y + 3 + k * 4
            drawing.stroke(face, np.array([[60 - grille_w, y], [60 + grille_w, y]]), (185, 185, 190), 1)
    lamp_w, lamp_h, slant = own.uniform(7, 14), own.uniform(4, 9), own.uniform(-5, 6)
    for side in (-1, 1):
        centre = np.array([60 + side * 46, grille_y + own.uniform(-1, 1)])
        outline = np.array(
            [[-lamp_w, -lamp_h], [lamp_w, -lamp_h - slant], [lamp_w, lamp_h - slant], [-lamp_w, lamp_h]]
        ) * (side, 1)
        drawing.fill(face, outline + centre, (235, 238, 225))
        drawing.stroke(face, outline + centre, (30, 30, 30), 1, closed=True)
    textures.stamp(face, textures.glyph_outline(shared), (60, grille_y - 4), 5, (220, 220, 225))
    drawing.fill(face, np.array([[46, 48], [74, 48], [74, 56], [46, 56]]), (235, 235, 230))
    return face


def tail(paint: Colour, own: Rng) -> np.ndarray:
    """The rear end, uint8 [60, 120, 3]: lamps, plate."""
    back = drawing.blank(60, 120, mix(paint, (0, 0, 0), 0.12))
    wide, high, top = own.uniform(8, 26), own.uniform(6, 16), own.uniform(8, 18)
    for left in (4, 116 - wide):
        drawing.fill(
            back,
            np.array([[left, top], [left + wide, top], [left + wide, top + high], [left, top + high]]),
            (190, 22, 26),
        )
    if own.random() < 0.3:
        drawing.fill(back, np.array([[4, top], [116, top], [116, top + 3], [4, top + 3]]), (190, 22, 26))
    plate = own.uniform(22, 40)
    drawing.fill(
        back, np.array([[45, plate], [75, plate], [75, plate + 9], [45, plate + 9]]), (235, 235, 230)
    )
    return back
