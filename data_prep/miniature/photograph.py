"""What happens to a picture around and after its object: backdrop, clutter, light, lens, compression.

These conditions are shared by all items of a domain, so that a model can learn to look past them.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, textures
from data_prep.miniature.mesh import Camera, Solid, Viewpoint, footprint, render

SUPERSAMPLING = 1.5  # scenes are drawn this much larger than the photo and then averaged down

NOISE = np.random.default_rng(0).standard_normal((384, 384), dtype=np.float32)  # photos take a window of it


@dataclass(frozen=True)
class Roughness:
    """How hard a kind of photo is on its object. All are spreads; 0 leaves the picture as drawn."""

    light: float = 0.5  # uneven light and exposure
    cast: float = 0.10  # colour of the light
    blur: float = 0.8  # px, at most
    noise: float = 6.0  # grey levels, at most


def photo_size(rng: np.random.Generator, aspect: tuple[float, float]) -> tuple[int, int]:
    """(height, width) in px: the longer side 176..320, width / height within `aspect`."""
    longer, ratio = int(rng.integers(176, 321)), rng.uniform(*aspect)
    height, width = (longer, longer * ratio) if ratio < 1 else (longer / ratio, longer)
    return max(160, int(height)), max(160, int(width))


def drawing_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in px of the canvas on which a photo of `size` is drawn."""
    return int(size[0] * SUPERSAMPLING), int(size[1] * SUPERSAMPLING)


def sunlight(rng: np.random.Generator) -> np.ndarray:
    """Unit vector [3] towards the light, in camera axes: from above and somewhere in front."""
    direction = np.array([rng.uniform(-0.9, 0.9), rng.uniform(0.2, 1.0), rng.uniform(0.3, 1.0)])
    return direction / np.linalg.norm(direction)


def put(
    canvas: np.ndarray, solid: Solid, camera: Camera, rng: np.random.Generator, shadow: float = 0.6
) -> Viewpoint:
    """Draw a solid with its shadow on the ground (factor `shadow`, 1 for none) under a random light."""
    view = Viewpoint(camera, solid, canvas.shape[0], canvas.shape[1])
    if shadow < 1:
        drawing.darken(canvas, footprint(solid, view, 1.15), shadow, 0.02 * canvas.shape[0])
    render(canvas, solid, view, sunlight(rng), rng.uniform(0.4, 0.75))
    return view


def studio(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A light, even backdrop, as shops and museums use."""
    value = rng.choice([rng.uniform(0.93, 1.0), rng.uniform(0.55, 0.9)], p=[0.6, 0.4])
    canvas = drawing.blank(*shape, drawing.hsv(rng.random(), rng.uniform(0, 0.06), value))
    return textures.grain(canvas, rng, 0.08, (2, 2))


def room(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A wall over a floor or a table top, with blurred things standing about."""
    height, width = shape
    small = (height // 2, width // 2)
    wall = drawing.hsv(rng.random(), rng.uniform(0.03, 0.4), rng.uniform(0.4, 0.95))
    ground = drawing.hsv(rng.uniform(0.02, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.85))
    canvas = drawing.blank(*small, wall)
    if rng.random() < 0.5:
        kind = textures.any_of(rng, textures.PATTERNS)
        canvas = textures.pattern(kind, small, [wall, drawing.mix(wall, ground, rng.uniform(0.1, 0.6))], rng)
    horizon = int(small[0] * rng.uniform(0.35, 0.8))
    for _ in range(int(rng.integers(0, 6))):
        left, top = rng.uniform(-0.1, 0.9) * small[1], horizon - rng.uniform(0.1, 0.6) * small[0]
        right = left + rng.uniform(0.08, 0.4) * small[1]
        colour = drawing.hsv(rng.random(), rng.uniform(0.05, 0.8), rng.uniform(0.15, 0.9))
        drawing.fill(
            canvas, np.array([[left, top], [right, top], [right, horizon + 4], [left, horizon + 4]]), colour
        )
    floor = textures.grain(
        drawing.blank(small[0] - horizon, small[1], ground), rng, 0.3, (int(rng.integers(4, 20)), 3)
    )
    canvas[horizon:] = floor
    return drawing.stretch(drawing.blur(canvas, rng.uniform(0.6, 3.0)), height, width)


def outdoors(shape: tuple[int, int], rng: np.random.Generator, ground: str) -> np.ndarray:
    """Sky, skyline or trees, and a ground of 'road' or 'grass'."""
    height, width = shape
    small = (height // 2, width // 2)
    top = drawing.hsv(rng.uniform(0.52, 0.66), rng.uniform(0.05, 0.65), rng.uniform(0.45, 1.0))
    bottom = drawing.mix(
        top, drawing.hsv(rng.uniform(0.0, 0.14), rng.uniform(0.1, 0.5), 0.95), rng.uniform(0.2, 0.9)
    )
    rows = np.linspace(0, 1, small[0])[:, None, None]
    canvas = (np.array(top) * (1 - rows) + np.array(bottom) * rows).repeat(small[1], axis=1).astype(np.uint8)
    clouds = np.clip(drawing.smooth_noise(rng, small, (6, 5)) * 2.2 - rng.uniform(0.9, 2.0), 0, 0.8)[
        :, :, None
    ]
    canvas = (canvas * (1 - clouds) + 245 * clouds).astype(np.uint8)
    horizon = int(small[0] * rng.uniform(0.45, 0.75))
    green = rng.random() < 0.6
    for x in np.arange(-0.05, 1.05, 0.12):
        hue, value = (
            (rng.uniform(0.2, 0.38), rng.uniform(0.15, 0.5))
            if green
            else (rng.uniform(0, 0.15), rng.uniform(0.3, 0.8))
        )
        colour = drawing.hsv(hue, rng.uniform(0.1, 0.7 if green else 0.35), value)
        tall = rng.uniform(0.03, 0.35) * small[0]
        if green:
            drawing.ellipse(canvas, (x * small[1], horizon), (0.1 * small[1], tall), colour)
        else:
            drawing.fill(canvas, _block(x * small[1], horizon - tall, 0.11 * small[1], tall + 3), colour)
    earth = (
        drawing.hsv(0.1, rng.uniform(0, 0.15), rng.uniform(0.25, 0.7))
        if ground == "road"
        else drawing.hsv(rng.uniform(0.14, 0.35), rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.65))
    )
    canvas[horizon:] = textures.grain(drawing.blank(small[0] - horizon, small[1], earth), rng, 0.25, (14, 6))
    return drawing.stretch(drawing.blur(canvas, rng.uniform(0.5, 2.0)), height, width)


def _block(left: float, top: float, width: float, height: float) -> np.ndarray:
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])


def occlude(canvas: np.ndarray, rng: np.random.Generator, share: float) -> None:
    """Things in front: shapes that enter from the border and cover up to about `share` of the width."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(1, 3))):
        reach = rng.uniform(0.4, 1.0) * share
        side, along = rng.integers(3), rng.uniform(0.1, 0.9)
        centre = [(0.0, along * height), (float(width), along * height), (along * width, float(height))][side]
        colour = drawing.hsv(rng.random(), rng.uniform(0.05, 0.8), rng.uniform(0.1, 0.85))
        radii = (reach * width, rng.uniform(0.5, 1.6) * reach * height)
        if rng.random() < 0.5:
            drawing.ellipse(canvas, centre, radii, colour, rng.uniform(0, 90))
        else:
            drawing.fill(canvas, textures.glyph_outline(rng) * radii + centre, colour)


def develop(
    canvas: np.ndarray, size: tuple[int, int], rng: np.random.Generator, rough: Roughness
) -> np.ndarray:
    """Light, lens and sensor: the canvas [h, w, 3] -> the photo of `size` (height, width)."""
    photo = drawing.shrink(canvas, *size)
    exposure = np.exp(rng.normal(0, 0.35 * rough.light))
    uneven = 1 + rough.light * (rng.random((3, 3, 1)) - 0.5)
    cast = np.exp(rng.normal(0, rough.cast, 3) * (1.0, 0.4, 1.0))
    photo = drawing.tint(photo, exposure * uneven * cast)
    sigma = rng.uniform(0, rough.blur)
    if rng.random() < 0.15 and rough.blur > 0.5:
        photo = drawing.smear(photo, int(rng.integers(3, 3 + int(6 * rough.blur))), rng.uniform(0, np.pi))
    elif sigma > 0.3:
        photo = drawing.blur(photo, sigma)
    if rough.noise:
        sigma_levels = rng.uniform(0, rough.noise)
        top, left = rng.integers(0, 64, 2)
        grain = NOISE[top : top + size[0], left : left + size[1]] * np.float32(sigma_levels)
        photo = drawing.add_noise(photo, grain.astype(np.int16))
    return photo
