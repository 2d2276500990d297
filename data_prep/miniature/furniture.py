"""Chairs, sofas, tables and cabinets of boxes and turned legs. Lengths in metres, standing on y = 0."""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, textures
from data_prep.miniature.drawing import Colour, mix
from data_prep.miniature.mesh import Part

Rng = np.random.Generator


@dataclass(frozen=True)
class Look:
    """Colours and surface of one item: main, second, dark colour; skin is a pattern of them [96, 96, 3]."""

    main: Colour
    second: Colour
    dark: Colour
    skin: np.ndarray


def _legs(half_x: float, half_z: float, height: float, look: Look, own: Rng) -> list[Part]:
    thick, splay, turned = own.uniform(0.03, 0.09), own.uniform(0, 0.1), own.random() < 0.4
    parts = []
    for x in (-half_x, half_x):
        for z in (-half_z, half_z):
            if turned:
                outline = np.array([[thick * 0.4, 0], [thick * 0.7, height * 0.6], [thick * 0.4, height]])
                parts.append(
                    mesh.revolution(
                        outline, 6, [look.dark, look.second], centre=(x + np.sign(x) * splay, 0, z)
                    )
                )
            else:
                parts.append(
                    mesh.box((x + np.sign(x) * splay / 2, height / 2, z), (thick, height, thick), look.dark)
                )
    return parts


def chair(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A chair: seat, legs, and a back of one piece, upright or level slats; perhaps with arms."""
    seat, back, wide = shared.uniform(0.4, 0.55), own.uniform(0.4, 0.8), own.uniform(0.42, 0.6)
    parts = _legs(wide / 2 - 0.04, 0.2, seat, look, own)
    parts.append(
        mesh.box(
            (0, seat, 0), (wide, own.uniform(0.04, 0.14), 0.5), look.main, [None, None, None, None, look.skin]
        )
    )
    style, middle = own.integers(3), seat + back / 2
    if style == 0:
        parts.append(
            mesh.box((0, middle + 0.05, -0.23), (wide, back, 0.05), look.main, [look.skin, None, look.skin])
        )
    n_slats = int(own.integers(2, 6))
    for k in range(n_slats):
        share = (k + 0.5) / n_slats - 0.5
        if style == 1:
            parts.append(
                mesh.box((share * wide, middle, -0.23), (wide * 0.4 / n_slats, back, 0.04), look.second)
            )
        elif style == 2:
            parts.append(
                mesh.box((0, middle + share * back, -0.23), (wide, back * 0.4 / n_slats, 0.04), look.second)
            )
    if style:
        parts.append(mesh.box((0, seat + back, -0.23), (wide, 0.08, 0.06), look.main))
    if own.random() < 0.35:
        parts += [
            mesh.box((side * wide / 2, seat + 0.22, 0), (0.05, 0.05, 0.46), look.dark) for side in (-1, 1)
        ]
    return parts


def sofa(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A sofa for one to three."""
    wide, n_seats, arm = own.uniform(1.1, 2.0), int(own.integers(1, 4)), own.uniform(0.1, 0.24)
    back, skin = own.uniform(0.35, 0.6), [look.skin, None, look.skin, None, look.skin]
    parts = _legs(wide / 2, 0.3, 0.12, look, own)
    parts.append(mesh.box((0, 0.24, 0), (wide, 0.24, 0.75), look.main))
    parts.append(
        mesh.box((0, 0.25 + back / 2, -0.34), (wide, back + 0.2, 0.16), look.main, [None, None, look.skin])
    )
    height = own.uniform(0.42, 0.62)
    parts += [
        mesh.box((side * (wide + arm) / 2, height / 2 + 0.1, 0), (arm, height, 0.78), look.main)
        for side in (-1, 1)
    ]
    for k in range(n_seats):
        x = ((k + 0.5) / n_seats - 0.5) * wide
        parts.append(mesh.box((x, 0.42, 0.06), (wide / n_seats * 0.95, 0.13, 0.62), look.second, skin))
        if shared.random() < 0.6:
            parts.append(mesh.box((x, 0.62, -0.2), (wide / n_seats * 0.6, 0.3, 0.1), look.second, skin))
    return parts


def table(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A table: on four legs, or round on a turned stem."""
    height, wide, deep = shared.uniform(0.35, 0.75), own.uniform(0.7, 1.3), own.uniform(0.5, 0.8)
    thick = own.uniform(0.03, 0.12)
    if shared.random() < 0.4:
        radius = wide / 2
        outline = np.array([[radius, height], [radius, height + thick]])
        parts = [mesh.revolution(outline, 18, [look.main])]
        stem = np.array(
            [
                [own.uniform(0.2, 0.4), 0],
                [own.uniform(0.04, 0.2), 0.08],
                [0.06, height * own.uniform(0.3, 0.7)],
                [own.uniform(0.05, 0.14), height],
            ]
        )
        return [*parts, mesh.revolution(stem, 10, [look.dark, look.second, look.dark])]
    parts = _legs(wide / 2 - 0.06, deep / 2 - 0.06, height, look, own)
    parts.append(mesh.box((0, height, 0), (wide, thick, deep), look.main, [None] * 4 + [look.skin]))
    if own.random() < 0.5:
        parts.append(
            mesh.box((0, height * own.uniform(0.2, 0.5), 0), (wide * 0.85, 0.03, deep * 0.8), look.second)
        )
    if own.random() < 0.5:
        parts.append(
            mesh.box(
                (0, height - 0.1, deep / 2 - 0.05), (wide * own.uniform(0.3, 0.8), 0.14, 0.05), look.second
            )
        )
    return parts


def cabinet(shared: Rng, own: Rng, look: Look) -> list[Part]:
    """A cabinet whose front is a grid of doors and drawers."""
    height, wide, deep = shared.uniform(0.7, 1.6), own.uniform(0.5, 1.1), 0.4
    front = look.skin.copy()
    rows, columns = int(own.integers(1, 5)), int(own.integers(1, 4))
    knob, gap, round_knob = look.dark, int(own.integers(2, 5)), own.random() < 0.5
    for row in range(rows):
        for column in range(columns):
            top, left = row * 96 // rows + gap, column * 96 // columns + gap
            bottom, right = (row + 1) * 96 // rows - gap, (column + 1) * 96 // columns - gap
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
            if (row + column) % 2 and shared.random() < 0.5:
                drawing.fill(front, corners, look.second)
            drawing.stroke(front, corners, mix(look.dark, look.main, 0.3), 2, closed=True)
            middle = ((left + right) / 2, (top + bottom) / 2)
            drawing.ellipse(front, middle, (3, 3) if round_knob else (8, 2), knob)
    lift = own.uniform(0.03, 0.25)
    parts = _legs(wide / 2 - 0.05, deep / 2 - 0.05, lift, look, own)
    side = textures.grain(drawing.blank(64, 32, look.main), own, 0.2, (3, 9))
    return [
        *parts,
        mesh.box((0, lift + height / 2, 0), (wide, height, deep), look.main, [front, side, side, side, side]),
        mesh.box((0, lift + height, 0), (wide * 1.06, 0.05, deep * 1.1), look.second),
    ]
