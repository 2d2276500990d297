"""A figure cut from paper and the clothes it wears."""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, textures
from data_prep.miniature.drawing import Colour, hsv, mix

SHEET = (300, 200)  # rows and columns of the paper, px
Rng = np.random.Generator


@dataclass(frozen=True)
class Cut:
    """Measures in px of the paper doll; heights grow downwards from its crown."""

    kind: str
    shoulder: float
    waist: float
    flare: float
    sleeve_width: float
    neck: float
    hem: float
    sleeve: float
    v_neck: bool


@dataclass(frozen=True)
class Garment:
    """One item: its cloth in each colour variant (pattern [300, 200, 3] and trim), and what is sewn on."""

    cut: Cut
    cloths: list[tuple[np.ndarray, Colour]]
    motif: np.ndarray | None
    motif_at: tuple[float, float, float]
    n_buttons: int
    pocket: bool
    belt: bool
    trim_width: float


def _mirrored(right: list[tuple[float, float]]) -> np.ndarray:
    """A symmetric outline about x = 100 from its right half, top to bottom."""
    half = np.array(right)
    return np.vstack([half, half[::-1] * (-1, 1) + (200, 0)])


def _pieces(cut: Cut) -> list[np.ndarray]:
    """Outlines [N, 2] of the cloth, on the doll."""
    if cut.kind == "Pants":
        return [_leg(cut, side) for side in (1, -1)]
    if cut.kind == "Skirts":
        return [_mirrored([(100 + cut.waist, 136), (100 + cut.waist + 9, 160), (100 + cut.flare, cut.hem)])]
    hem_x = cut.flare if cut.kind in ("Dresses", "Jackets_Coats") else cut.waist + 6
    hip = (100 + max(hem_x * 0.75, cut.waist + 4), 160 if cut.hem > 175 else cut.hem - 6)
    chest = [
        (100 + cut.neck, 55),
        (100 + cut.shoulder, 62),
        (100 + cut.waist + 4, 95),
        (100 + cut.waist, 128),
    ]
    body = _mirrored([*chest, hip, (100 + hem_x, cut.hem)])
    return [body, *(_sleeve(cut, side) for side in (1, -1) if cut.sleeve > 8)]


def _leg(cut: Cut, side: int) -> np.ndarray:
    """One leg of trousers, on the doll's right (side 1) or left (-1) half."""
    outer = [[0, 150], [side * cut.waist, 138], [side * (cut.waist + 8), 165]]
    return np.array([*outer, [side * (10 + cut.flare / 2), cut.hem], [side * 5, cut.hem], [0, 178]]) + (
        100,
        0,
    )


def _sleeve(cut: Cut, side: int) -> np.ndarray:
    end = np.array([side * (cut.shoulder + 0.42 * cut.sleeve), 62 + 0.9 * cut.sleeve])
    cuff = [end + (side * cut.sleeve_width, -2), end + (-side * cut.sleeve_width * 0.6, 5)]
    top = [[side * (cut.shoulder - 4), 58], [side * (cut.shoulder + 3), 63]]
    return np.array([*top, *cuff, [side * (cut.shoulder - 3), 86]]) + (100, 0)


def _figure(doll: np.ndarray, skin: Colour, hair: Colour, shoe: Colour, face: bool) -> None:
    """Head, limbs and trunk on the doll [300, 200, 4]."""
    skin, hair, shoe = (*skin, 255), (*hair, 255), (*shoe, 255)
    drawing.ellipse(doll, (100, 27), (17, 22), hair)
    if face:
        drawing.ellipse(doll, (100, 31), (13, 17), skin)
    drawing.fill(doll, np.array([[94, 44], [106, 44], [107, 58], [93, 58]]), skin)
    drawing.fill(doll, _mirrored([(106, 54), (130, 62), (122, 100), (124, 145), (122, 165)]), skin)
    for s in (1, -1):
        drawing.fill(
            doll,
            np.array([[100 + s * 24, 60], [100 + s * 33, 64], [100 + s * 68, 150], [100 + s * 60, 153]]),
            skin,
        )
        drawing.fill(
            doll,
            np.array([[100 + s * 3, 150], [100 + s * 25, 150], [100 + s * 19, 284], [100 + s * 8, 284]]),
            skin,
        )
        drawing.fill(
            doll,
            np.array([[100 + s * 6, 282], [100 + s * 21, 282], [100 + s * 23, 294], [100 + s * 6, 294]]),
            shoe,
        )


def dress(item: Garment, variant: int, pose: str, rng: Rng) -> np.ndarray:
    """The doll [300, 200, 4] wearing the item; what else it wears is left to chance."""
    doll = np.zeros((*SHEET, 4), dtype=np.uint8)
    skin = hsv(rng.uniform(0.03, 0.09), rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.95))
    other = hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.1, 0.9))
    _figure(
        doll,
        skin,
        hsv(0.08, rng.uniform(0.1, 0.7), rng.uniform(0.08, 0.6)),
        hsv(rng.random(), 0.3, rng.uniform(0.1, 0.8)),
        pose != "back",
    )
    cut = item.cut
    if cut.kind in ("Pants", "Skirts"):
        drawing.fill(doll, _mirrored([(109, 55), (131, 61), (125, 100), (123, 142)]), (*other, 255))
    elif cut.hem < 185:
        for s in (1, -1):
            leg = np.array([[100, 140], [100 + s * 26, 140], [100 + s * 20, 280], [100 + s * 7, 280]])
            drawing.fill(doll, leg, (*other, 255))
    cloth, trim = item.cloths[variant]
    mask = np.zeros((*SHEET, 3), dtype=np.uint8)
    pieces = _pieces(cut)
    for piece in pieces:
        drawing.fill(mask, piece, (255, 255, 255))
    sewn = cloth.copy()
    _sew(sewn, item, trim, pose != "back", pieces)
    covered = mask[:, :, 0] > 0
    doll[covered, :3] = _folds(sewn, rng)[covered]
    doll[covered, 3] = 255
    if cut.kind not in ("Pants", "Skirts"):
        depth = (28 if cut.v_neck else 12) * (1.0 if pose != "back" else 0.3)
        drawing.fill(
            doll,
            _mirrored([(100 + cut.neck, 54), (100 + cut.neck * 0.5, 55 + depth * 0.6), (100.5, 55 + depth)]),
            (*skin, 255),
        )
    return doll


def _sew(sewn: np.ndarray, item: Garment, trim: Colour, front: bool, pieces: list[np.ndarray]) -> None:
    for piece in pieces:
        drawing.stroke(sewn, piece, trim, int(2 * item.trim_width), closed=True)
    if item.belt:
        sewn[130:139] = trim
    if not front:
        return
    if item.motif is not None:
        low = item.cut.kind in ("Pants", "Skirts")
        textures.stamp(
            sewn,
            item.motif,
            (item.motif_at[0], item.motif_at[1] + (90 if low else 0)),
            item.motif_at[2],
            trim,
        )
    if item.cut.kind == "Jackets_Coats":
        sewn[55:, 98:102] = trim
    for k in range(item.n_buttons):
        drawing.ellipse(sewn, (105, 72 + 17 * k), (2.5, 2.5), mix(trim, (240, 235, 220), 0.7))
    if item.pocket:
        drawing.stroke(sewn, np.array([[108, 145], [122, 143], [122, 160], [109, 162]]), trim, 2, closed=True)


def _folds(cloth: np.ndarray, rng: Rng) -> np.ndarray:
    """Cloth that hangs: rows shifted in waves, darker in the folds."""
    height, width = SHEET
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    pace, phase, depth = rng.uniform(0.05, 0.14), rng.uniform(0, 6), rng.uniform(1, 5)
    wave = np.sin(np.float32(pace) * x + np.float32(0.02) * y + np.float32(phase))
    moved = drawing.distort(
        cloth,
        np.clip(x + np.float32(depth) * wave, 0, width - 1),
        np.clip(y + np.float32(depth / 2) * wave, 0, height - 1),
    )
    return drawing.shade(moved, 1 - np.float32(0.16 * rng.uniform(0.3, 1.0)) * (1 + wave))
