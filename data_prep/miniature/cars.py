"""Cars of made-up makes. Stands in for Stanford Cars.

A family is a make and body type: profile and face are near each other. A class is one model; as in the real
set, its colour is free: each model is sold in two paints, so colour alone does not name it.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import car_details, drawing, mesh, photograph
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.mesh import Camera, Part, Solid

ROUGHNESS = photograph.Roughness(light=0.5, cast=0.08, blur=0.8, noise=6.0)
PAINT_SHARES = (0.8, 0.2)  # how often each paint of a model is seen
N_PAINTS = len(PAINT_SHARES)
ASPECT = (1.15, 1.7)  # width / height of a photo
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

    return Lines(
        hood=near(0.18, 0.6, 0.22),
        boot=near(0.0, 0.45, 0.22),
        belt=near(0.34, 0.48, 0.2),
        roof=near(0.56, 0.84, 0.2),
        rake=near(0.1, 0.42, 0.2),
        rear_rake=near(0.03, 0.45, 0.25),
        half_width=near(0.36, 0.44, 0.15),
        wheel=near(0.13, 0.21, 0.2),
        wheel_gap=near(0.55, 0.68, 0.15),
        clearance=near(0.08, 0.16, 0.15),
    )


def design(family: Rng, own: Rng) -> Car:
    """One model of one make."""
    lines = _lines(family, own)
    trim = int(own.integers(2**31))
    face = int(family.integers(2**31))
    hues = [(own.random(), own.uniform(0.0, 0.9), own.uniform(0.15, 0.95)) for _ in range(N_PAINTS)]
    return Car(
        [
            mesh.assemble(
                _parts(lines, hsv(*paint), np.random.default_rng(face), np.random.default_rng(trim))
            )
            for paint in hues
        ]
    )


def _parts(lines: Lines, paint: Colour, shared: Rng, own: Rng) -> list[Part]:
    c, belt, width = lines.clearance, lines.belt, lines.half_width
    nose, tail, drop = own.uniform(0.0, 0.1), own.uniform(0.0, 0.08), own.uniform(0.02, 0.12)
    front = [[1 - nose, c], [1, c + 0.12], [1 - 0.03, belt - drop], [1 - lines.hood, belt]]
    lower = np.array([[-1 + tail, c], *front, [-1 + lines.boot, belt], [-1, belt - 0.03], [-1, c + 0.1]])
    widths = width * np.array([0.96, 0.9, 0.9, 0.88, 0.97, 0.97, 0.94, 0.94])
    body = mesh.prism(lower, widths, [mix(paint, (0, 0, 0), 0.25), paint], paint)
    upper, back = 1 - lines.hood, -1 + lines.boot
    roof = [[max(upper - lines.rake, 0.05), lines.roof], [min(back + lines.rear_rake, -0.1), lines.roof]]
    cabin = np.array([[back, belt], [upper, belt], *roof])
    two_tone = mix(paint, (20, 20, 22), 0.85) if own.random() < 0.25 else paint
    widths = width * np.array([0.95, 0.95, 0.78, 0.78])
    top = mesh.prism(cabin, widths, [paint, GLASS, two_tone, GLASS], paint)
    face, rear = car_details.nose(paint, shared, own), car_details.tail(paint, own)
    middle, high = (c + belt) / 2, (belt - c) * 0.72
    ends = [
        mesh.box((1.0, middle, 0), (0.015, high, width * 1.72), paint, [None, face]),
        mesh.box((-1.0, middle, 0), (0.015, high, width * 1.8), paint, [None, None, None, rear]),
    ]
    return [body, top, *ends, *_sides(lines, cabin, c, paint, own)]


def _sides(lines: Lines, cabin: np.ndarray, floor: float, paint: Colour, own: Rng) -> list[Part]:
    """Thin sheets just outside both flanks: windows, doors, stripe, and the wheels."""
    n_panes, rim_seed = int(own.integers(1, 4)), int(own.integers(2**31))
    shift, has_stripe = own.normal(0, 0.04), own.random() < 0.3
    stripe = hsv(own.random(), own.uniform(0, 0.9), own.uniform(0.1, 1))
    low = lines.clearance + own.uniform(0.35, 0.75) * (lines.belt - lines.clearance)
    parts = []
    for side in (1, -1):
        z = side * lines.half_width
        parts += _doors(lines, cabin, floor + 0.05, n_panes, z, mix(paint, (0, 0, 0), 0.5))
        if has_stripe:
            parts.append(
                _sheet(drawing.rectangle(-0.95, low, 0.93, low + 0.035), np.full(4, 0.985 * z), stripe)
            )
        for x in (lines.wheel_gap + shift, -lines.wheel_gap + shift):
            parts.append(car_details.wheel(x, lines.wheel, 1.01 * z, np.random.default_rng(rim_seed)))
    return parts


def _doors(
    lines: Lines, cabin: np.ndarray, floor: float, n_panes: int, z: float, gap_colour: Colour
) -> list[Part]:
    """The windows of one flank, each with the gap of its door and a handle."""
    parts, belt = [], lines.belt
    share = np.linspace(0.08, 0.92, n_panes + 1)
    for start, end in zip(share[:-1] + 0.02, share[1:] - 0.02):
        reach = np.array([[start], [end]])
        bottom, top = cabin[0] + (cabin[1] - cabin[0]) * reach, cabin[3] + (cabin[2] - cabin[3]) * reach
        pane = np.vstack([bottom + (0, 0.02), top[::-1] - (0, 0.03)])
        parts.append(_sheet(pane, np.array([0.96, 0.96, 0.81, 0.81]) * z, GLASS))
        x = bottom[0, 0]
        door, handle = (
            drawing.rectangle(x, floor, x + 0.012, belt),
            drawing.rectangle(x + 0.05, belt - 0.07, x + 0.13, belt - 0.05),
        )
        parts.append(_sheet(door, np.full(4, 0.985 * z), gap_colour))
        parts.append(_sheet(handle, np.full(4, 0.99 * z), (200, 200, 205)))
    return parts


def _sheet(outline: np.ndarray, z: np.ndarray, colour: Colour) -> Part:
    """A flat piece on one flank, seen only from its side; outline [N, 2] anticlockwise as seen from +z."""
    points = np.column_stack([outline, z])
    order = tuple(range(len(points)))
    return Part(points, [(order[::-1] if z[0] > 0 else order, colour, None)])


def photo(car: Car, rng: Rng, style: str) -> np.ndarray:
    """A picture of one of its paints. style: 'road' (outdoors) or 'showroom'."""
    size = photograph.photo_size(rng, ASPECT)
    shape = photograph.drawing_size(size)
    canvas = photograph.studio(shape, rng) if style == "showroom" else photograph.outdoors(shape, rng, "road")
    quarter = rng.choice([-0.6, 0.6, -1.1, 0.0, 2.4, -2.5], p=[0.36, 0.24, 0.1, 0.1, 0.1, 0.1])
    camera = Camera(
        yaw=quarter + rng.normal(0, 0.2),
        pitch=rng.uniform(0.02, 0.32),
        roll=rng.normal(0, 0.03),
        distance=rng.uniform(2.2, 5),
        fill=rng.uniform(0.75, 1.05),
        centre_xy=(rng.uniform(0.42, 0.58), rng.uniform(0.5, 0.65)),
    )
    solid = car.solids[int(rng.choice(N_PAINTS, p=PAINT_SHARES))]
    photograph.put(canvas, solid, camera, rng, shadow=0.45)
    if style == "road" and rng.random() < 0.25:
        photograph.occlude(canvas, rng, 0.2)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
