"""Clothes worn by a figure in front of a studio wall. Stands in for DeepFashion In-Shop.

An item comes in one to three colours, as in the real set, where a shop's item id covers all of them. A family
shares cut and palette; its siblings differ in pattern, trim and details.
"""

import numpy as np

from data_prep.miniature import drawing, paper_doll, photograph, textures
from data_prep.miniature.drawing import Colour, hsv, mix
from data_prep.miniature.paper_doll import SHEET, Cut, Garment

ROUGHNESS = photograph.Roughness(light=0.3, cast=0.05, blur=0.6, noise=4.0)
KINDS = ("Dresses", "Tees_Tanks", "Sweaters", "Jackets_Coats", "Pants", "Skirts")
HEMS = {  # lowest and highest hem on the paper doll, px from its crown
    "Dresses": (190, 270),
    "Tees_Tanks": (140, 165),
    "Sweaters": (145, 175),
    "Jackets_Coats": (150, 225),
    "Pants": (215, 282),
    "Skirts": (175, 260),
}
SLEEVES = {  # shortest and longest, px
    "Dresses": (0, 60),
    "Tees_Tanks": (0, 38),
    "Sweaters": (70, 95),
    "Jackets_Coats": (75, 95),
    "Pants": (0, 1),
    "Skirts": (0, 1),
}
Rng = np.random.Generator


def kind_and_colours(family: Rng, own: Rng) -> tuple[str, int]:
    """An item's kind and its number of colour variants; the first things its generators decide."""
    return textures.any_of(family, KINDS), int(own.choice([1, 2, 3], p=[0.65, 0.3, 0.05]))


def design(family: Rng, own: Rng) -> Garment:
    """One item of one family."""
    kind, n_variants = kind_and_colours(family, own)
    shape = [family.uniform(*span) for span in ((27, 36), (19, 32), (26, 62), (7, 13), (8, 16))]
    cut = Cut(kind, *shape, own.uniform(*HEMS[kind]), own.uniform(*SLEEVES[kind]), bool(own.random() < 0.4))
    base = textures.palette(family, 3)
    pattern = textures.any_of(own, textures.PATTERNS)
    seed = int(own.integers(2**31))
    cloths = [_cloth(pattern, base, bool(variant), own, seed) for variant in range(n_variants)]
    motif = textures.glyph_outline(own) if own.random() < 0.45 else None
    return Garment(
        cut,
        cloths,
        motif,
        (own.uniform(92, 108), own.uniform(85, 120), own.uniform(8, 20)),
        int(own.integers(0, 7)),
        bool(own.random() < 0.4),
        bool(own.random() < 0.4),
        own.uniform(1, 6),
    )


def _cloth(
    pattern: str, base: list[Colour], is_other: bool, own: Rng, seed: int
) -> tuple[np.ndarray, Colour]:
    """Cloth and trim of one colour variant: near the family's palette; further off if `is_other`."""
    shift = hsv(own.random(), own.uniform(0.1, 0.8), own.uniform(0.15, 0.95))
    main = mix(base[0], shift, 0.7 if is_other else 0.4)
    colours = [main, mix(main, base[1], 0.7), mix(base[2], shift, 0.3)]
    cloth = textures.pattern(pattern, SHEET, colours, np.random.default_rng(seed))
    return cloth, mix(colours[2], (20, 20, 20), 0.3)


def photo(item: Garment, rng: Rng, style: str) -> np.ndarray:
    """A shop's picture. style: '<variant number>:<pose>'."""
    number, pose = style.split(":")
    size = photograph.photo_size(rng, (0.66, 0.95))
    shape = photograph.drawing_size(size)
    canvas = photograph.studio(shape, rng) if rng.random() < 0.85 else photograph.room(shape, rng)
    doll = paper_doll.dress(item, int(number), pose, rng)
    squeeze = rng.uniform(0.55, 0.75) if pose == "side" else rng.uniform(0.88, 1.05)
    zoom = {"full": rng.uniform(0.85, 0.98), "additional": rng.uniform(1.8, 2.6)}.get(
        pose, rng.uniform(1.05, 1.45)
    )
    middle_y = (
        {"Pants": 215, "Skirts": 195, "Dresses": 150}.get(item.cut.kind, 110)
        if pose not in ("full",)
        else 150
    )
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
