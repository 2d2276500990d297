"""Household goods as sellers photograph them. Stands in for Stanford Online Products.

A family shares category, colours and build; its siblings differ in proportions, in details such as legs, slats, drawers and
handles, and in the pattern of their surface.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Part, Solid

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)
Rng = np.random.Generator


@dataclass(frozen=True)
class Look:
    """Colours and surface of one item: main, second and dark colour; skin is a pattern [96, 96, 3] in them."""

    main: Colour
    second: Colour
    dark: Colour
    skin: np.ndarray


@dataclass(frozen=True)
class ShopItem:
    """One thing for sale; category is one of CATEGORIES."""

    solid: Solid
    category: str


def _legs(half_x: float, half_z: float, height: float, look: Look, own: Rng) -> list[Part]:
    thick, splay, turned = own.uniform(0.03, 0.09), own.uniform(0, 0.1), own.random() < 0.4
    parts = []
    for x in (-half_x, half_x):
        for z in (-half_z, half_z):
            if turned:
                outline = np.array([[thick * 0.4, 0], [thick * 0.7, height * 0.6], [thick * 0.4, height]])
                parts.append(mesh.revolution(outline, 6, [look.dark, look.second], centre=(x + np.sign(x) * splay, 0, z)))
            else:
                parts.append(mesh.box((x + np.sign(x) * splay / 2, height / 2, z), (thick, height, thick), look.dark))
    return parts


def _chair(shared: Rng, own: Rng, look: Look) -> list[Part]:
    seat, back, wide = shared.uniform(0.4, 0.55), own.uniform(0.4, 0.8), own.uniform(0.42, 0.6)
    parts = _legs(wide / 2 - 0.04, 0.2, seat, look, own)
    parts.append(mesh.box((0, seat, 0), (wide, own.uniform(0.04, 0.14), 0.5), look.main, [None, None, None, None, look.skin]))
    style, middle = own.integers(3), seat + back / 2
    if style == 0:
        parts.append(mesh.box((0, middle + 0.05, -0.23), (wide, back, 0.05), look.main, [look.skin, None, look.skin]))
    n_slats = int(own.integers(2, 6))
    for k in range(n_slats):
        share = (k + 0.5) / n_slats - 0.5
        if style == 1:
            parts.append(mesh.box((share * wide, middle, -0.23), (wide * 0.4 / n_slats, back, 0.04), look.second))
        elif style == 2:
            parts.append(mesh.box((0, middle + share * back, -0.23), (wide, back * 0.4 / n_slats, 0.04), look.second))
    if style:
        parts.append(mesh.box((0, seat + back, -0.23), (wide, 0.08, 0.06), look.main))
    if own.random() < 0.35:
        parts += [mesh.box((side * wide / 2, seat + 0.22, 0), (0.05, 0.05, 0.46), look.dark) for side in (-1, 1)]
    return parts


def _sofa(shared: Rng, own: Rng, look: Look) -> list[Part]:
    wide, n_seats, arm = own.uniform(1.1, 2.0), int(own.integers(1, 4)), own.uniform(0.1, 0.24)
    back, skin = own.uniform(0.35, 0.6), [look.skin, None, look.skin, None, look.skin]
    parts = _legs(wide / 2, 0.3, 0.12, look, own)
    parts.append(mesh.box((0, 0.24, 0), (wide, 0.24, 0.75), look.main))
    parts.append(mesh.box((0, 0.25 + back / 2, -0.34), (wide, back + 0.2, 0.16), look.main, [None, None, look.skin]))
    height = own.uniform(0.42, 0.62)
    parts += [mesh.box((side * (wide + arm) / 2, height / 2 + 0.1, 0), (arm, height, 0.78), look.main) for side in (-1, 1)]
    for k in range(n_seats):
        x = ((k + 0.5) / n_seats - 0.5) * wide
        parts.append(mesh.box((x, 0.42, 0.06), (wide / n_seats * 0.95, 0.13, 0.62), look.second, skin))
        if shared.random() < 0.6:
            parts.append(mesh.box((x, 0.62, -0.2), (wide / n_seats * 0.6, 0.3, 0.1), look.second, skin))
    return parts


def _table(shared: Rng, own: Rng, look: Look) -> list[Part]:
    height, wide, deep = shared.uniform(0.35, 0.75), own.uniform(0.7, 1.3), own.uniform(0.5, 0.8)
    thick = own.uniform(0.03, 0.12)
    if shared.random() < 0.4:
        radius = wide / 2
        outline = np.array([[radius, height], [radius, height + thick]])
        parts = [mesh.revolution(outline, 18, [look.main])]
        stem = np.array([[own.uniform(0.2, 0.4), 0], [own.uniform(0.04, 0.2), 0.08], [0.06, height * own.uniform(0.3, 0.7)],
                         [own.uniform(0.05, 0.14), height]])
        return [*parts, mesh.revolution(stem, 10, [look.dark, look.second, look.dark])]
    parts = _legs(wide / 2 - 0.06, deep / 2 - 0.06, height, look, own)
    parts.append(mesh.box((0, height, 0), (wide, thick, deep), look.main, [None] * 4 + [look.skin]))
    if own.random() < 0.5:
        parts.append(mesh.box((0, height * own.uniform(0.2, 0.5), 0), (wide * 0.85, 0.03, deep * 0.8), look.second))
    if own.random() < 0.5:
        parts.append(mesh.box((0, height - 0.1, deep / 2 - 0.05), (wide * own.uniform(0.3, 0.8), 0.14, 0.05), look.second))
    return parts


def _cabinet(shared: Rng, own: Rng, look: Look) -> list[Part]:
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
    return [*parts, mesh.box((0, lift + height / 2, 0), (wide, height, deep), look.main, [front, side, side, side, side]),
            mesh.box((0, lift + height, 0), (wide * 1.06, 0.05, deep * 1.1), look.second)]


def _lamp(shared: Rng, own: Rng, look: Look) -> list[Part]:
    pole, low, high = shared.uniform(0.3, 0.9), own.uniform(0.2, 0.36), own.uniform(0.08, 0.3)
    foot = [[own.uniform(0.12, 0.24), 0], [own.uniform(0.08, 0.2), 0.06]]
    foot += [[own.uniform(0.02, 0.15), 0.06 + pole * share] for share in (0.2, 0.4, 0.6, 0.8)] + [[0.02, 0.06 + pole]]
    shade = np.array([[low, pole * 0.95], [high, pole * 0.95 + own.uniform(0.2, 0.42)]])
    wrap = np.concatenate([look.skin, look.skin[:, ::-1]], axis=1)
    return [mesh.revolution(np.array(foot), 10, [look.dark, look.second, look.main]),
            mesh.revolution(shade, 14, [look.second], skins={0: wrap})]


def _arc(x: float, y: float, radii: tuple[float, float], thick: float, span: tuple[float, float]) -> np.ndarray:
    """Profile of a bent handle around (x, y) over angles `span`; anticlockwise."""
    angles = np.linspace(*span, 8)
    outer = np.column_stack([x + radii[0] * np.cos(angles), y + radii[1] * np.sin(angles)])
    inner = np.column_stack([x + (radii[0] - thick) * np.cos(angles), y + (radii[1] - thick) * np.sin(angles)])
    return np.vstack([outer, inner[::-1]])


def _mug(shared: Rng, own: Rng, look: Look) -> list[Part]:
    height, low, high = shared.uniform(0.7, 1.1), own.uniform(0.26, 0.38), own.uniform(0.38, 0.48)
    plain = drawing.blank(96, 96, look.main)
    motif = look.skin.copy() if own.random() < 0.5 else plain.copy()
    for _ in range(int(own.integers(1, 3))):
        at = (own.uniform(30, 66), own.uniform(30, 66))
        textures.stamp(motif, textures.glyph_outline(own), at, own.uniform(14, 30), hsv(own.random(), 0.8, own.uniform(0.2, 1)))
    if own.random() < 0.5:
        drawing.write(motif, textures.word(own, 2), (12, own.uniform(8, 66), 72, 22), look.dark, int(own.integers(4)))
    outline = np.array([[low, 0], [own.uniform(low, high), height / 2], [high, height], [high * 0.9, height], [high * 0.85, 0.9 * height]])
    wrap = np.concatenate([plain[:, 48:], motif, motif, plain[:, :48]], axis=1)
    wrap = np.concatenate([wrap[:48], wrap[48:]], axis=0)
    handle = _arc(high * 0.85, height * 0.5, (own.uniform(0.22, 0.4), own.uniform(0.22, 0.36)), 0.08, (-1.6, 1.6))
    body = mesh.revolution(outline, 16, [look.main, look.main, look.second, (60, 45, 40)],
                           skins={0: wrap[48:], 1: wrap[:48]}, turn=np.pi)
    return [mesh.prism(handle, 0.05, [look.second], look.second), body]


def _kettle(shared: Rng, own: Rng, look: Look) -> list[Part]:
    belly, height = shared.uniform(0.4, 0.6), own.uniform(0.5, 0.9)
    outline = [[belly * own.uniform(0.7, 1), 0], [belly, height * own.uniform(0.2, 0.5)], [belly * own.uniform(0.5, 0.9), height * 0.8],
               [belly * 0.4, height], [0.06, height + 0.02], [own.uniform(0.05, 0.1), height + 0.1]]
    start = -belly * 0.75
    spout = np.array([[start, height * 0.3], [start, height * 0.55], [start - own.uniform(0.2, 0.4), height * own.uniform(0.8, 1.0)],
                      [start - 0.35, height * 0.7]])
    if own.random() < 0.5:
        handle = _arc(0, height * 0.8, (belly * 0.8, own.uniform(0.35, 0.6)), 0.07, (0.1, 3.04))
    else:
        handle = _arc(belly * 0.75, height * 0.5, (own.uniform(0.25, 0.4), height * 0.45), 0.07, (-1.5, 1.5))
    wrap = np.concatenate([look.skin, look.skin[:, ::-1]], axis=1)
    return [mesh.prism(spout, 0.07, [look.main], look.main), mesh.prism(handle, 0.05, [look.dark], look.dark),
            mesh.revolution(np.array(outline), 14, [look.main, look.main, look.second, look.main, look.dark], skins={1: wrap})]


def _toaster(shared: Rng, own: Rng, look: Look) -> list[Part]:
    wide, height, cut = own.uniform(0.7, 1.2), shared.uniform(0.5, 0.75), own.uniform(0.04, 0.25)
    half = wide / 2
    profile = np.array([[-half, 0], [half, 0], [half, height - cut], [half - cut, height], [cut - half, height], [-half, height - cut]])
    parts = [mesh.prism(profile, 0.24, [look.main], look.second)]
    panel = look.skin.copy()
    for _ in range(int(own.integers(1, 4))):
        drawing.ellipse(panel, (own.uniform(15, 80), own.uniform(40, 80)), (own.uniform(5, 12),) * 2, look.dark)
    drawing.write(panel, textures.word(own, 2), (10, 8, 76, 18), look.dark, int(own.integers(4)))
    parts.append(mesh.box((0, height * 0.42, 0.25), (wide * own.uniform(0.4, 0.85), height * 0.55, 0.02), look.main, [panel]))
    for z in np.linspace(-0.1, 0.1, int(own.integers(1, 3)) + 1)[: 2]:
        parts.append(mesh.box((0, height, z), ((wide - 2 * cut) * 0.85, 0.015, 0.05), (25, 22, 20)))
    parts.append(mesh.box((half + 0.04, height * own.uniform(0.4, 0.7), 0), (0.1, 0.06, 0.12), look.dark))
    return parts


BUILDERS: dict[str, Callable[[Rng, Rng, Look], list[Part]]] = {
    "cabinet": _cabinet, "chair": _chair, "kettle": _kettle, "lamp": _lamp, "mug": _mug, "sofa": _sofa, "table": _table,
    "toaster": _toaster,
}
CATEGORIES = tuple(BUILDERS)


def design(family: Rng, own: Rng) -> ShopItem:
    """One item of one family."""
    category = textures.any_of(family, CATEGORIES)
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
        yaw=rng.uniform(-0.9, 0.9), pitch=rng.uniform(0.0, 0.7), roll=rng.normal(0, 0.08), distance=rng.uniform(2.5, 6),
        fill=rng.uniform(0.5, 1.2) if home else rng.uniform(0.7, 1.0),
        centre_xy=(rng.uniform(0.4, 0.6), rng.uniform(0.42, 0.6)),
    )
    photograph.put(canvas, item.solid, camera, rng)
    if home and rng.random() < 0.4:
        photograph.occlude(canvas, rng, 0.25)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
