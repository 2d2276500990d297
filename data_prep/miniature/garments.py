"""Clothes worn by a figure in front of a studio wall. Stands in for DeepFashion In-Shop.

An item comes in one to three colour variants, as in the real set, where a shop's item id covers all its colours. A family shares
cut and palette; its siblings differ in pattern, trim and details.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.miniature import drawing, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix

ROUGHNESS = photograph.Roughness(light=0.35, cast=0.06, blur=0.6, noise=4.0)
POSES = ("front", "side", "back", "full", "additional")
KINDS = ("Dresses", "Tees_Tanks", "Sweaters", "Jackets_Coats", "Pants", "Skirts")
SHEET = (300, 200)  # rows and columns of the paper doll, px
Rng = np.random.Generator


@dataclass(frozen=True)
class Cut:
    """Measures in px of the paper doll; heights grow downwards from its crown."""

    kind: str
    shoulder: float
    waist: float
    flare: float
    hem: float
    sleeve: float
    sleeve_width: float
    neck: float
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


def design(family: Rng, own: Rng) -> Garment:
    """One item of one family."""
    kind = textures.any_of(family, KINDS)
    long = {"Dresses": (190, 270), "Tees_Tanks": (140, 165), "Sweaters": (145, 175), "Jackets_Coats": (150, 225),
            "Pants": (215, 282), "Skirts": (175, 260)}[kind]
    sleeve = {"Dresses": (0, 60), "Tees_Tanks": (0, 38), "Sweaters": (70, 95), "Jackets_Coats": (75, 95)}.get(kind, (0, 1))
    cut = Cut(kind, family.uniform(27, 36), family.uniform(19, 32), family.uniform(26, 62), own.uniform(*long), own.uniform(*sleeve),
              family.uniform(7, 13), family.uniform(8, 16), bool(own.random() < 0.4))
    base = textures.palette(family, 3)
    pattern = textures.any_of(own, textures.PATTERNS)
    seed, n_variants = int(own.integers(2**31)), int(own.choice([1, 2, 3], p=[0.7, 0.25, 0.05]))
    cloths = []
    for variant in range(n_variants):
        shift = hsv(own.random(), own.uniform(0.1, 0.8), own.uniform(0.15, 0.95))
        main = mix(base[0], shift, 0.8 if variant else 0.35)
        colours = [main, mix(main, base[1], 0.7), mix(base[2], shift, 0.3)]
        cloth = textures.pattern(pattern, SHEET, colours, np.random.default_rng(seed))
        cloths.append((cloth, mix(colours[2], (20, 20, 20), 0.3)))
    motif = textures.glyph_outline(own) if own.random() < 0.45 else None
    return Garment(cut, cloths, motif, (own.uniform(92, 108), own.uniform(85, 120), own.uniform(8, 20)), int(own.integers(0, 7)),
                   bool(own.random() < 0.4), bool(own.random() < 0.4), own.uniform(1, 6))


def _mirrored(right: list[tuple[float, float]]) -> np.ndarray:
    """A symmetric outline about x = 100 from its right half, top to bottom."""
    half = np.array(right)
    return np.vstack([half, half[::-1] * (-1, 1) + (200, 0)])


def _pieces(cut: Cut) -> list[np.ndarray]:
    """Outlines [N, 2] of the cloth, on the doll."""
    legs = cut.kind == "Pants"
    if legs:
        return [np.array([[100, 150], [100 + s * cut.waist, 138], [100 + s * (cut.waist + 8), 165],
                          [100 + s * (10 + cut.flare / 2), cut.hem], [100 + s * 5, cut.hem], [100, 178]]) for s in (1, -1)]
    if cut.kind == "Skirts":
        return [_mirrored([(100 + cut.waist, 136), (100 + cut.waist + 9, 160), (100 + cut.flare, cut.hem)])]
    hem_x = cut.flare if cut.kind in ("Dresses", "Jackets_Coats") else cut.waist + 6
    body = _mirrored([(100 + cut.neck, 55), (100 + cut.shoulder, 62), (100 + cut.waist + 4, 95), (100 + cut.waist, 128),
                      (100 + max(hem_x * 0.75, cut.waist + 4), 160 if cut.hem > 175 else cut.hem - 6), (100 + hem_x, cut.hem)])
    pieces = [body]
    if cut.sleeve > 8:
        reach, width = cut.sleeve, cut.sleeve_width
        for s in (1, -1):
            end = np.array([100 + s * (cut.shoulder + 0.42 * reach), 62 + 0.9 * reach])
            pieces.append(np.array([[100 + s * (cut.shoulder - 4), 58], [100 + s * (cut.shoulder + 3), 63], end + (s * width, -2),
                                    end + (-s * width * 0.6, 5), [100 + s * (cut.shoulder - 3), 86]]))
    return pieces


def _figure(doll: np.ndarray, skin: Colour, hair: Colour, shoe: Colour, face: bool) -> None:
    """Head, limbs and trunk on the doll [300, 200, 4]."""
    skin, hair, shoe = (*skin, 255), (*hair, 255), (*shoe, 255)  # type: ignore[assignment]
    drawing.ellipse(doll, (100, 27), (17, 22), hair)
    if face:
        drawing.ellipse(doll, (100, 31), (13, 17), skin)
    drawing.fill(doll, np.array([[94, 44], [106, 44], [107, 58], [93, 58]]), skin)
    drawing.fill(doll, _mirrored([(106, 54), (130, 62), (122, 100), (124, 145), (122, 165)]), skin)
    for s in (1, -1):
        drawing.fill(doll, np.array([[100 + s * 24, 60], [100 + s * 33, 64], [100 + s * 68, 150], [100 + s * 60, 153]]), skin)
        drawing.fill(doll, np.array([[100 + s * 3, 150], [100 + s * 25, 150], [100 + s * 19, 284], [100 + s * 8, 284]]), skin)
        drawing.fill(doll, np.array([[100 + s * 6, 282], [100 + s * 21, 282], [100 + s * 23, 294], [100 + s * 6, 294]]), shoe)


def dress(item: Garment, variant: int, pose: str, rng: Rng) -> np.ndarray:
    """The doll [300, 200, 4] wearing the item; what else it wears is left to chance."""
    doll = np.zeros((*SHEET, 4), dtype=np.uint8)
    skin = hsv(rng.uniform(0.03, 0.09), rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.95))
    other = hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.1, 0.9))
    _figure(doll, skin, hsv(0.08, rng.uniform(0.1, 0.7), rng.uniform(0.08, 0.6)), hsv(rng.random(), 0.3, rng.uniform(0.1, 0.8)), pose != "back")
    cut = item.cut
    if cut.kind in ("Pants", "Skirts"):
        drawing.fill(doll, _mirrored([(109, 55), (131, 61), (125, 100), (123, 142)]), (*other, 255))  # type: ignore[arg-type]
    elif cut.hem < 185:
        for s in (1, -1):
            leg = np.array([[100, 140], [100 + s * 26, 140], [100 + s * 20, 280], [100 + s * 7, 280]])
            drawing.fill(doll, leg, (*other, 255))  # type: ignore[arg-type]
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
        drawing.fill(doll, _mirrored([(100 + cut.neck, 54), (100 + cut.neck * 0.5, 55 + depth * 0.6), (100.5, 55 + depth)]),
                     (*skin, 255))  # type: ignore[arg-type]
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
        textures.stamp(sewn, item.motif, (item.motif_at[0], item.motif_at[1] + (90 if low else 0)), item.motif_at[2], trim)
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
    moved = drawing.distort(cloth, np.clip(x + np.float32(depth) * wave, 0, width - 1), np.clip(y + np.float32(depth / 2) * wave, 0, height - 1))
    return drawing.shade(moved, 1 - np.float32(0.16 * rng.uniform(0.3, 1.0)) * (1 + wave))


def photo(item: Garment, rng: Rng, style: str) -> np.ndarray:
    """A shop's picture. style: '<variant number>:<pose>', the variant counted modulo those that exist."""
    number, pose = style.split(":")
    size = photograph.photo_size(rng, (0.66, 0.95))
    shape = photograph.drawing_size(size)
    canvas = photograph.studio(shape, rng) if rng.random() < 0.75 else photograph.room(shape, rng)
    doll = dress(item, int(number) % len(item.cloths), pose, rng)
    squeeze = rng.uniform(0.5, 0.7) if pose == "side" else rng.uniform(0.88, 1.05)
    zoom = {"full": rng.uniform(0.85, 0.98), "additional": rng.uniform(1.8, 2.6)}.get(pose, rng.uniform(1.05, 1.45))
    middle_y = {"Pants": 215, "Skirts": 195, "Dresses": 150}.get(item.cut.kind, 110) if pose not in ("full",) else 150
    unit = zoom * shape[0] / SHEET[0]
    corners = np.array([[0, 0], [200, 0], [200, 300], [0, 300]], dtype=float) - (100, middle_y)
    corners = corners * (unit * squeeze, unit) + rng.normal(0, 0.02 * shape[0], (4, 2))
    lean = rng.normal(0, 0.05)
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    quad = corners @ turn.T + (shape[1] * rng.uniform(0.42, 0.58), shape[0] * rng.uniform(0.45, 0.55))
    if rng.random() < 0.5:
        doll = doll[:, ::-1]
    drawing.place(canvas, np.ascontiguousarray(doll), quad)
    return photograph.develop(canvas, size, rng, ROUGHNESS)
