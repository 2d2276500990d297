"""Cars of made-up makes. Stands in for Stanford Cars.

A family is a make and body type: profile and face are near each other. A class is one model; as in the real set, its colour is
free: each model is sold in a few paints, so colour alone does not name it.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, mesh, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Part, Solid

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)
PAINT_SHARES = (0.7, 0.3)  # how often each paint of a model is seen
N_PAINTS = len(PAINT_SHARES)
GLASS: Colour = (52, 64, 74)
Rng = np.random.Generator


@dataclass(frozen=True)
class Car:
    """One model in each of its paints."""

    solids: list[Solid]


@dataclass(frozen=True)
class Lines:
    """Proportions in car lengths; a car is 2 long and stands along x, its nose at +x."""

    hood: float
    boot: float
    belt: float
    roof: float
    rake: float
    rear_rake: float
    half_width: float
    wheel: float
    wheel_gap: float
    clearance: float


def _lines(family: Rng, own: Rng) -> Lines:
    def near(low: float, high: float, play: float) -> float:
        return float(np.clip(family.uniform(low, high) + own.normal(0, 1.5 * play) * (high - low), low, high))

    return Lines(hood=near(0.18, 0.6, 0.22), boot=near(0.0, 0.45, 0.22), belt=near(0.34, 0.48, 0.2), roof=near(0.56, 0.84, 0.2),
                 rake=near(0.1, 0.42, 0.2), rear_rake=near(0.03, 0.45, 0.25), half_width=near(0.36, 0.44, 0.15),
                 wheel=near(0.13, 0.21, 0.2), wheel_gap=near(0.55, 0.68, 0.15), clearance=near(0.08, 0.16, 0.15))


def design(family: Rng, own: Rng) -> Car:
    """One model of one make."""
    lines = _lines(family, own)
    trim = int(own.integers(2**31))
    face = int(family.integers(2**31))
    hues = [(own.random(), own.uniform(0.0, 0.9), own.uniform(0.15, 0.95)) for _ in range(N_PAINTS)]
    return Car([mesh.assemble(_parts(lines, hsv(*paint), np.random.default_rng(face), np.random.default_rng(trim)))
                for paint in hues])


def _parts(lines: Lines, paint: Colour, shared: Rng, own: Rng) -> list[Part]:
    c, belt, nose, tail = lines.clearance, lines.belt, own.uniform(0.0, 0.1), own.uniform(0.0, 0.08)
    drop = own.uniform(0.02, 0.12)
    lower = np.array([[-1 + tail, c], [1 - nose, c], [1, c + 0.12], [1 - 0.03, belt - drop], [1 - lines.hood, belt], [-1 + lines.boot, belt],
                      [-1, belt - 0.03], [-1, c + 0.1]])
    width = lines.half_width
    body = mesh.prism(lower, width * np.array([0.96, 0.9, 0.9, 0.88, 0.97, 0.97, 0.94, 0.94]), [mix(paint, (0, 0, 0), 0.25), paint], paint)
    upper, back = 1 - lines.hood, -1 + lines.boot
    cabin = np.array([[back, belt], [upper, belt], [max(upper - lines.rake, 0.05), lines.roof], [min(back + lines.rear_rake, -0.1), lines.roof]])
    top = mesh.prism(cabin, width * np.array([0.95, 0.95, 0.78, 0.78]), [paint, GLASS, paint, GLASS], paint)
    two_tone = mix(paint, (20, 20, 22), 0.85) if own.random() < 0.25 else paint
    top.faces[2] = (top.faces[2][0], two_tone, None)
    front, rear = _nose(paint, shared, own), _tail(paint, own)
    ends = [mesh.box((1.0, (c + belt) / 2, 0), (0.015, (belt - c) * 0.72, width * 1.72), paint, [None, front]),
            mesh.box((-1.0, (c + belt) / 2, 0), (0.015, (belt - c) * 0.72, width * 1.8), paint, [None, None, None, rear])]
    return [body, top, *ends, *_sides(lines, cabin, lower, paint, own)]


def _sides(lines: Lines, cabin: np.ndarray, lower: np.ndarray, paint: Colour, own: Rng) -> list[Part]:
    """Thin sheets just outside both flanks: windows, doors, stripe, and the wheels."""
    parts, n_panes, rim_seed = [], int(own.integers(1, 4)), int(own.integers(2**31))
    shift, stripe = own.normal(0, 0.04), own.random() < 0.3
    stripe_colour, stripe_y = hsv(own.random(), own.uniform(0, 0.9), own.uniform(0.1, 1)), own.uniform(0.35, 0.75)
    for side in (1, -1):
        z = side * lines.half_width
        share = np.linspace(0.08, 0.92, n_panes + 1)
        for k in range(n_panes):
            gap = 0.02
            bottom = cabin[0] + (cabin[1] - cabin[0]) * np.array([[share[k] + gap], [share[k + 1] - gap]])
            top = cabin[3] + (cabin[2] - cabin[3]) * np.array([[share[k] + gap], [share[k + 1] - gap]])
            pane = np.vstack([bottom * (1, 1) + (0, 0.02), top[::-1] - (0, 0.03)])
            parts.append(_sheet(pane, np.array([0.96, 0.96, 0.81, 0.81]) * z, GLASS))
            x = bottom[0, 0]
            door = np.array([[x, lower[0, 1] + 0.05], [x + 0.012, lower[0, 1] + 0.05], [x + 0.012, lines.belt], [x, lines.belt]])
            parts.append(_sheet(door, np.full(4, 0.985 * z), mix(paint, (0, 0, 0), 0.5)))
            handle = np.array([[x + 0.05, lines.belt - 0.07], [x + 0.13, lines.belt - 0.07], [x + 0.13, lines.belt - 0.05], [x + 0.05, lines.belt - 0.05]])
            parts.append(_sheet(handle, np.full(4, 0.99 * z), (200, 200, 205)))
        if stripe:
            y = lines.clearance + stripe_y * (lines.belt - lines.clearance)
            parts.append(_sheet(np.array([[-0.95, y], [0.93, y], [0.93, y + 0.035], [-0.95, y + 0.035]]), np.full(4, 0.985 * z), stripe_colour))
        for x in (lines.wheel_gap + shift, -lines.wheel_gap + shift):
            parts.append(_wheel(x, lines.wheel, 1.01 * z, np.random.default_rng(rim_seed)))
    return parts


def _sheet(outline: np.ndarray, z: np.ndarray, colour: Colour) -> Part:
    """A flat piece on one flank; outline [N, 2] anticlockwise as seen from +z, seen only from its own side."""
    points = np.column_stack([outline, z])
    order = tuple(range(len(points)))
    return Part(points, [(order[::-1] if z[0] > 0 else order, colour, None)])


def _wheel(x: float, radius: float, z: float, own: Rng) -> Part:
    """A tyre with a rim texture, facing outwards."""
    rim = np.zeros((48, 48, 4), dtype=np.uint8)
    drawing.ellipse(rim, (24, 24), (23, 23), (28, 28, 30, 255))  # type: ignore[arg-type]
    n_spokes, hub = int(own.integers(3, 11)), own.uniform(0.1, 0.4)
    metal = own.uniform(120, 235)
    reach = own.uniform(12, 18)
    drawing.ellipse(rim, (24, 24), (reach, reach), (metal * 0.4,) * 3 + (255,))  # type: ignore[arg-type]
    for k in range(n_spokes):
        angle, half = 2 * np.pi * k / n_spokes, own.uniform(0.12, 0.14) * 6 / n_spokes + 0.05
        tips = [[24 + reach * np.cos(angle + s), 24 + reach * np.sin(angle + s)] for s in (-half, half)]
        drawing.fill(rim, np.array([[24, 24], *tips]), (metal,) * 3 + (255,))  # type: ignore[arg-type]
    drawing.ellipse(rim, (24, 24), (reach * hub,) * 2, (metal * 0.8,) * 3 + (255,))  # type: ignore[arg-type]
    corners = np.array([[x - radius, 2 * radius, z], [x + radius, 2 * radius, z], [x + radius, 0, z], [x - radius, 0, z]])
    return Part(corners, [((0, 1, 2, 3) if z > 0 else (1, 0, 3, 2), (30, 30, 30), rim)])


def _nose(paint: Colour, shared: Rng, own: Rng) -> np.ndarray:
    """The car's face, uint8 [60, 120, 3]: grille, lamps, badge, plate."""
    face = drawing.blank(60, 120, mix(paint, (0, 0, 0), 0.08))
    grille_w, grille_h, grille_y = shared.uniform(20, 45) + own.normal(0, 4), shared.uniform(8, 20) + own.normal(0, 2), own.uniform(18, 32)
    box = np.array([[60 - grille_w, grille_y], [60 + grille_w, grille_y], [60 + grille_w * own.uniform(0.6, 1.1), grille_y + grille_h],
                    [60 - grille_w * own.uniform(0.6, 1.1), grille_y + grille_h]])
    drawing.fill(face, box, (22, 22, 24))
    if own.random() < 0.6:
        for k in range(int(own.integers(2, 6))):
            y = grille_y + 3 + k * 4
            drawing.stroke(face, np.array([[60 - grille_w, y], [60 + grille_w, y]]), (185, 185, 190), 1)
    lamp_w, lamp_h, slant = own.uniform(7, 14), own.uniform(4, 9), own.uniform(-5, 6)
    for side in (-1, 1):
        centre = np.array([60 + side * 46, grille_y + own.uniform(-1, 1)])
        outline = np.array([[-lamp_w, -lamp_h], [lamp_w, -lamp_h - slant], [lamp_w, lamp_h - slant], [-lamp_w, lamp_h]]) * (side, 1)
        drawing.fill(face, outline + centre, (235, 238, 225))
        drawing.stroke(face, outline + centre, (30, 30, 30), 1, closed=True)
    textures.stamp(face, textures.glyph_outline(shared), (60, grille_y - 4), 5, (220, 220, 225))
    drawing.fill(face, np.array([[46, 48], [74, 48], [74, 56], [46, 56]]), (235, 235, 230))
    return face


def _tail(paint: Colour, own: Rng) -> np.ndarray:
    """The rear end, uint8 [60, 120, 3]: lamps, plate."""
    back = drawing.blank(60, 120, mix(paint, (0, 0, 0), 0.12))
    wide, high, top = own.uniform(8, 26), own.uniform(6, 16), own.uniform(8, 18)
    for left in (4, 116 - wide):
        drawing.fill(back, np.array([[left, top], [left + wide, top], [left + wide, top + high], [left, top + high]]), (190, 22, 26))
    if own.random() < 0.3:
        drawing.fill(back, np.array([[4, top], [116, top], [116, top + 3], [4, top + 3]]), (190, 22, 26))
    plate = own.uniform(22, 40)
    drawing.fill(back, np.array([[45, plate], [75, plate], [75, plate + 9], [45, plate + 9]]), (235, 235, 230))
    return back


def photo(car: Car, rng: Rng, style: str) -> np.ndarray:
    """A picture of one of its paints. style: 'road' (outdoors) or 'showroom'."""
    size = photograph.photo_size(rng, (1.15, 1.7))
    shape = photograph.drawing_size(size)
    canvas = photograph.studio(shape, rng) if style == "showroom" else photograph.outdoors(shape, rng, "road")
    quarter = rng.choice([-0.6, 0.6, -1.1, 0.0, 2.4, -2.5], p=[0.28, 0.22, 0.12, 0.14, 0.12, 0.12])
    camera = Camera(
        yaw=quarter + rng.normal(0, 0.2), pitch=rng.uniform(0.02, 0.32), roll=rng.normal(0, 0.03), distance=rng.uniform(2.2, 5),
        fill=rng.uniform(0.75, 1.05), centre_xy=(rng.uniform(0.42, 0.58), rng.uniform(0.5, 0.65)),
    )
    solid = car.solids[int(rng.choice(N_PAINTS, p=PAINT_SHARES))]
    photograph.put(canvas, solid, camera, rng, shadow=0.45)
    if style == "road" and rng.random() < 0.25:
        photograph.occlude(canvas, rng, 0.2)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
