"""Small solids in three dimensions and how a camera sees them: enough for a changed viewpoint, and no more.

Axes: x to the right, y up, z towards a camera at yaw 0. The corners of a face run clockwise as seen from
outside, so a face whose projection runs the other way is hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing
from data_prep.miniature.drawing import Colour


@dataclass(frozen=True)
class Part:
    """One roughly convex piece: points [V, 3]; a face is (corners, colour, texture [h, w, 3 or 4]|None)."""

    points: np.ndarray
    faces: list[tuple[tuple[int, ...], Colour, np.ndarray | None]]


@dataclass(frozen=True)
class Solid:
    """Parts put together: points [V, 3], corners [F, K] (the last repeated), colours [F, 3], part_of [F]."""

    points: np.ndarray
    corners: np.ndarray
    colours: np.ndarray
    part_of: np.ndarray
    textures: list[np.ndarray | None]


@dataclass(frozen=True)
class Camera:
    """Where the picture is taken from. Angles in radians.

    distance is in object radii (small: strong perspective); fill is the share of the canvas that the object
    spans in its tighter direction (above 1: cropped); centre_xy is where its middle lies, in shares of the
    canvas.
    """

    yaw: float
    pitch: float
    roll: float = 0.0
    distance: float = 4.0
    fill: float = 0.8
    centre_xy: tuple[float, float] = (0.5, 0.5)


def box(
    centre: Sequence[float], size: Sequence[float], colour: Colour, textures: Sequence[np.ndarray | None] = ()
) -> Part:
    """A box. Textures go to front, right, back, left, top, bottom, as far as given."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    sides = [(3, 7, 5, 1), (7, 6, 4, 5), (6, 2, 0, 4), (2, 3, 1, 0), (2, 6, 7, 3), (1, 5, 4, 0)]
    skins = [*textures, *[None] * (6 - len(textures))]
    return Part(
        np.asarray(centre) + signs * np.asarray(size) / 2,
        [(side, colour, skin) for side, skin in zip(sides, skins, strict=True)],
    )


def prism(
    profile: np.ndarray, half_depth: float | np.ndarray, colours: Sequence[Colour], cap: Colour
) -> Part:
    """A profile [N, 2] in (x, y), anticlockwise as seen from the front, drawn out along z.

    half_depth may differ by corner ([N]). Side i goes from corner i to i + 1 in colours[i % len(colours)].
    """
    n = len(profile)
    depth = np.broadcast_to(np.asarray(half_depth, dtype=float), (n,))
    front, back = np.column_stack([profile, depth]), np.column_stack([profile, -depth])
    faces = [((i, (i + 1) % n, n + (i + 1) % n, n + i), colours[i % len(colours)], None) for i in range(n)]
    faces.append((tuple(range(n - 1, -1, -1)), cap, None))
    faces.append((tuple(range(n, 2 * n)), cap, None))
    return Part(np.vstack([front, back]), faces)


def revolution(
    outline: np.ndarray,
    n_sides: int,
    colours: Sequence[Colour],
    *,
    centre: Sequence[float] = (0, 0, 0),
    skins: dict[int, np.ndarray] | None = None,
    turn: float = 0.0,
) -> Part:
    """An outline [N, 2] of (radius, height), bottom to top, turned around the y axis.

    Ring i lies between outline points i and i + 1 and takes colours[i % len(colours)], or skins[i]: a texture
    that is wrapped once around. The top is closed with the last ring's colour.
    """
    angles = turn + np.arange(n_sides) * 2 * np.pi / n_sides
    n_rings = len(outline) - 1
    points = np.array([[r * np.sin(a), y, r * np.cos(a)] for r, y in outline for a in angles]) + np.asarray(
        centre
    )
    faces: list[tuple[tuple[int, ...], Colour, np.ndarray | None]] = []
    for ring in range(n_rings):
        skin = (skins or {}).get(ring)
        for side in range(n_sides):
            nxt, low, high = (side + 1) % n_sides, ring * n_sides, (ring + 1) * n_sides
            strip = (
                None
                if skin is None
                else skin[:, side * skin.shape[1] // n_sides : (side + 1) * skin.shape[1] // n_sides]
            )
            faces.append(
                ((high + side, high + nxt, low + nxt, low + side), colours[ring % len(colours)], strip)
            )
    top = n_rings * n_sides
    faces.append(
        (tuple(top + i for i in range(n_sides - 1, -1, -1)), colours[(n_rings - 1) % len(colours)], None)
    )
    return Part(points, faces)


def assemble(parts: Sequence[Part]) -> Solid:
    """Number the points and faces of all parts through."""
    offsets = np.cumsum([0, *[len(part.points) for part in parts]])
    most = max(len(face[0]) for part in parts for face in part.faces)
    corners = [
        [offset + i for i in face[0]] + [offset + face[0][-1]] * (most - len(face[0]))
        for part, offset in zip(parts, offsets, strict=False)
        for face in part.faces
    ]
    return Solid(
        points=np.vstack([part.points for part in parts]),
        corners=np.array(corners),
        colours=np.array([face[1] for part in parts for face in part.faces], dtype=float),
        part_of=np.repeat(np.arange(len(parts)), [len(part.faces) for part in parts]),
        textures=[face[2] for part in parts for face in part.faces],
    )


class Viewpoint:
    """A camera aimed at one solid on one canvas size: world points -> pixels."""

    def __init__(self, camera: Camera, solid: Solid, height: int, width: int) -> None:
        self.turn = rotation(camera)
        low, high = solid.points.min(axis=0), solid.points.max(axis=0)
        self.middle = (low + high) / 2
        self.radius = float(np.linalg.norm(high - low)) / 2
        self.distance = camera.distance
        flat, _ = self._flatten(solid.points)
        spread = flat.max(axis=0) - flat.min(axis=0)
        self.scale = camera.fill * min(width / spread[0], height / spread[1])
        self.shift = (
            np.array(camera.centre_xy) * (width, height)
            - self.scale * (flat.max(axis=0) + flat.min(axis=0)) / 2
        )

    def _flatten(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = (points - self.middle) @ self.turn.T / self.radius
        nearness = self.distance / (self.distance - seen[:, 2])
        return seen[:, :2] * nearness[:, None] * (1, -1), seen[:, 2]

    def pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """points [V, 3] -> (x, y) in pixels [V, 2] and nearness to the camera [V] in radii."""
        flat, z = self._flatten(points)
        return flat * self.scale + self.shift, z


def rotation(camera: Camera) -> np.ndarray:
    """[3, 3]: turn by yaw about y, tip by pitch about x (looking down is positive), roll about z."""
    (cy, cp, cr), (sy, sp, sr) = (
        np.cos([camera.yaw, camera.pitch, camera.roll]),
        np.sin([camera.yaw, camera.pitch, camera.roll]),
    )
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def render(canvas: np.ndarray, solid: Solid, view: Viewpoint, light: np.ndarray, ambient: float) -> None:
    """Draw the visible faces, far parts first. light: unit vector [3] in camera axes; ambient 0..1."""
    flat, z = view.pixels(solid.points)
    quads, depths = flat[solid.corners], z[solid.corners].mean(axis=1)
    nxt = np.roll(quads, -1, axis=1)
    area = (quads[:, :, 0] * nxt[:, :, 1] - nxt[:, :, 0] * quads[:, :, 1]).sum(axis=1)
    visible = np.flatnonzero(area > 1.0)
    world = solid.points[solid.corners] @ view.turn.T
    normals = -np.cross(world, np.roll(world, -1, axis=1)).sum(axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    shades = ambient + (1.15 - ambient) * np.clip(normals @ light, 0, 1)
    part_depth = np.bincount(solid.part_of, depths) / np.bincount(solid.part_of)
    order = visible[np.lexsort((depths[visible], solid.part_of[visible], part_depth[solid.part_of[visible]]))]
    lit = np.clip(solid.colours * shades[:, None], 0, 255)
    for face in order:
        texture = solid.textures[face]
        if texture is None:
            drawing.fill(canvas, quads[face], tuple(lit[face]))
        else:
            if texture.shape[2] == 3:
                drawing.fill(
                    canvas, quads[face], tuple(lit[face])
                )  # closes the hairline seams between warped faces
            drawing.place(canvas, texture, quads[face, :4], float(shades[face]))


def footprint(solid: Solid, view: Viewpoint, spread: float) -> np.ndarray:
    """Pixels [N, 2] of a ring on the ground, `spread` times as wide as the solid: where its shadow falls."""
    low, high = solid.points.min(axis=0), solid.points.max(axis=0)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    half = spread * (high - low) / 2
    ring = np.column_stack([half[0] * np.sin(angles), np.full(14, low[1]), half[2] * np.cos(angles)])
    return view.pixels(ring + [(low[0] + high[0]) / 2, 0, (low[2] + high[2]) / 2])[0]
