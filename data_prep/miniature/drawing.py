"""The one door to OpenCV: flat drawing on RGB canvases, warping, blurring and JPEG bytes.

A canvas is uint8 [H, W, 3] in RGB order; a point is (x, y) in pixels, y downwards; a colour is (r, g, b),
0..255 each. Canvases that are cut out and placed elsewhere have a fourth channel and colour value: opacity.
"""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[float, ...]
cv2.setNumThreads(1)  # each process draws one image at a time; more threads only fight over the cores

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Colour of a hue (any real, 1.0 is a full turn), saturation and value (clipped to 0..1)."""
    saturation, value = min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (255 * red, 255 * green, 255 * blue)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    return tuple((1 - share) * a + share * b for a, b in zip(first, second, strict=True))


def blank(height: int, width: int, colour: Colour) -> np.ndarray:
    """A canvas of one colour."""
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = np.clip(colour, 0, 255).astype(np.uint8)
    return canvas


def fill(canvas: np.ndarray, points: np.ndarray, colour: Colour) -> None:
    """Fill the polygon points [N, 2]; may be concave."""
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], colour)


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Corners [4, 2]: top left, top right, bottom right, bottom left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def stroke(
    canvas: np.ndarray, points: np.ndarray, colour: Colour, thickness_px: int, closed: bool = False
) -> None:
    """Draw the line through points [N, 2]."""
    cv2.polylines(
        canvas, [np.rint(points).astype(np.int32)], closed, colour, max(1, thickness_px), cv2.LINE_AA
    )


def ellipse(
    canvas: np.ndarray, centre: Sequence[float], radii: Sequence[float], colour: Colour, turn: float = 0
) -> None:
    """Fill an ellipse; `turn` in degrees."""
    whole = [round(value) for value in (*centre, *radii)]
    cv2.ellipse(
        canvas,
        (whole[0], whole[1]),
        (max(1, whole[2]), max(1, whole[3])),
        turn,
        0,
        360,
        colour,
        -1,
        cv2.LINE_AA,
    )


def write(canvas: np.ndarray, text: str, box: Sequence[float], colour: Colour, font: int = 0) -> None:
    """Write `text` as large as the box (left, top, width, height) allows, centred in it."""
    left, top, width, height = box
    face = FONTS[font % len(FONTS)]
    (text_width, text_height), _ = cv2.getTextSize(text, face, 1.0, 1)
    scale = min(width / max(text_width, 1), height / max(text_height, 1))
    origin = (int(left + (width - scale * text_width) / 2), int(top + (height + scale * text_height) / 2))
    cv2.putText(canvas, text, origin, face, scale, colour, max(1, round(2.2 * scale)), cv2.LINE_AA)


def place(canvas: np.ndarray, texture: np.ndarray, quad: np.ndarray, shade: float = 1.0) -> None:
    """Warp a texture [h, w, 3 or 4] into quad [4, 2] (top left, top right, bottom right, bottom left).

    A fourth channel is opacity 0..255. Parts outside the canvas are cut off.
    """
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 1, (canvas.shape[1], canvas.shape[0]))
    if (high - low < 2).any():
        return
    height, width = texture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(corners, (quad - low).astype(np.float32))
    region = canvas[low[1] : high[1], low[0] : high[0]]
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    lit = texture if shade == 1.0 else cv2.convertScaleAbs(texture, alpha=shade)
    if texture.shape[2] == 3:
        patch = np.ascontiguousarray(region)
        cv2.warpPerspective(lit, matrix, size, patch, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        region[:] = patch
        return
    warped = cv2.warpPerspective(
        np.ascontiguousarray(lit[:, :, :3]),
        matrix,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    alpha = cv2.warpPerspective(np.ascontiguousarray(texture[:, :, 3]), matrix, size, flags=cv2.INTER_LINEAR)
    opacity = alpha.astype(np.float32) / 255
    region[:] = cv2.blendLinear(warped, np.ascontiguousarray(region), opacity, 1 - opacity)


def darken(canvas: np.ndarray, points: np.ndarray, factor: float, softness_px: float) -> None:
    """Multiply the inside of a polygon by `factor`, with a soft edge: a contact shadow."""
    margin = int(2 * softness_px) + 1
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + margin, (canvas.shape[1], canvas.shape[0]))
    if (high - low < 2).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(points - low).astype(np.int32)], 255)
    mask = cv2.blur(mask, (margin, margin))
    gain = 1 - (1 - factor) * (mask[:, :, None].astype(np.float32) / 255)
    region = canvas[low[1] : high[1], low[0] : high[0]]
    region[:] = (region * gain).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """float32 [H, W] in 0..1: a random grid of `cells` (rows, columns) drawn large."""
    grid = rng.random(cells, dtype=np.float32)
    return cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def shade(canvas: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Multiply by gain float32 [H, W], the same for the three channels."""
    return cv2.multiply(canvas, cv2.merge((gain, gain, gain)), dtype=cv2.CV_8U)


def add_noise(canvas: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Add noise int16 [H, W], the same for the three channels."""
    return cv2.add(canvas, cv2.merge((noise, noise, noise)), dtype=cv2.CV_8U)


def tint(canvas: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Multiply by gain [h, w, 3], stretched to the canvas: light that falls unevenly."""
    field = cv2.resize(
        gain.astype(np.float32), (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return cv2.multiply(canvas, field, dtype=cv2.CV_8U)


def shrink(canvas: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by averaging, which also smooths the hard edges of the polygons."""
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def stretch(canvas: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize with bilinear weights."""
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_LINEAR)


def blur(canvas: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur."""
    return cv2.GaussianBlur(canvas, (0, 0), sigma_px)


def smear(canvas: np.ndarray, length_px: int, angle_rad: float) -> np.ndarray:
    """Blur along a line: a moving camera."""
    kernel = np.zeros((length_px, length_px), dtype=np.float32)
    middle = (length_px - 1) / 2
    reach = middle * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, tuple(map(int, start)), tuple(map(int, end)), 1.0, 1)
    return cv2.filter2D(canvas, -1, kernel / kernel.sum())


def distort(texture: np.ndarray, x_map: np.ndarray, y_map: np.ndarray) -> np.ndarray:
    """Sample texture at (x_map, y_map), each float32 [H, W] in pixels; black (and clear) outside."""
    return cv2.remap(texture, x_map.astype(np.float32), y_map.astype(np.float32), cv2.INTER_LINEAR)


def encode_jpeg(canvas: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of a canvas [H, W, 3] in RGB, or [H, W] in grey."""
    ordered = canvas[:, :, ::-1] if canvas.ndim == 3 else canvas
    done, content = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"no JPEG made of a canvas of shape {canvas.shape}")
    return content.tobytes()
