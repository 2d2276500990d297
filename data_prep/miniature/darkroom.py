"""Draws the photos of one item and turns them into the bytes of their files, defects included."""

import io
from types import ModuleType

import numpy as np
from PIL import Image

from data_prep.miniature import (
    art_styles,
    artworks,
    buildings,
    cars,
    creatures,
    dishes,
    drawing,
    drawn_figures,
    garments,
    packages,
    shop_items,
)
from data_prep.miniature.raw_data import GROUND_PX, Part, Photo, design_streams, photo_stream

QUALITY = (60, 92)  # JPEG quality, lowest and highest
TINY_PX = 40
GROUND = (196.0, 190.0, 178.0)
ARTISTS: dict[str, ModuleType] = {  # by the source that has one of its own, and by their own names
    "products_10k": packages,
    "stanford_products": shop_items,
    "stanford_cars": cars,
    "deepfashion_inshop": garments,
    "gldv2": buildings,
    "met": artworks,
    **{
        module.__name__.rsplit(".", 1)[1]: module
        for module in (packages, shop_items, cars, garments, buildings, artworks)
    },
    **{
        module.__name__.rsplit(".", 1)[1]: module
        for module in (dishes, creatures, drawn_figures, art_styles)
    },
}
WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Gone.</body></html>\n"


def draw_item(seed: int, source: str, photos: list[Photo]) -> dict[str, bytes]:
    """{path: content} of photos that show the same item; 'missing' ones are left out."""
    artist = ARTISTS[photos[0].artist or source]
    design = artist.design(*design_streams(seed, source, photos[0].item))
    contents = {}
    for photo in photos:
        if photo.defect != "missing":
            rng = photo_stream(seed, source, photo)
            picture = draw_parts(seed, source, photo) if photo.parts else artist.photo(design, rng, photo.style)
            contents[photo.path] = encode(picture, int(rng.integers(*QUALITY)), photo.defect)
    return contents


def draw_parts(seed: int, source: str, photo: Photo) -> np.ndarray:
    """The picture [H, W, 3] of a photo that has parts."""
    picture = drawing.blank(GROUND_PX[1], GROUND_PX[0], GROUND)
    for part in photo.parts:
        if not part.reason:
            x0, y0, x1, y1 = part.box
            shown = draw_part(seed, source, photo.artist or source, part)
            seen = picture[max(y0, 0) : y1, max(x0, 0) : x1]
            seen[:] = shown[max(-y0, 0) :, max(-x0, 0) :][: seen.shape[0], : seen.shape[1]]
    return picture


def draw_part(seed: int, source: str, artist: str, part: Part) -> np.ndarray:
    """What fills the box of a part, [y1 - y0, x1 - x0, 3]."""
    design = ARTISTS[artist].design(*design_streams(seed, source, part.item))
    picture = ARTISTS[artist].photo(design, photo_stream(seed, source, part), part.style)
    x0, y0, x1, y1 = part.box
    return drawing.shrink(picture, y1 - y0, x1 - x0)


def encode(picture: np.ndarray, quality: int, defect: str = "") -> bytes:
    """File content of a picture [H, W, 3]: a JPEG, or what a defect of raw_data.DEFECTS makes of it.

    Raises:
        ValueError: an unknown defect.
    """
    if defect in ("cmyk", "png", "webp", "palette"):
        buffer = io.BytesIO()
        image = Image.fromarray(picture)
        if defect == "cmyk":
            image.convert("CMYK").save(buffer, "JPEG", quality=quality)
        elif defect == "palette":
            image.quantize(16).save(buffer, "PNG", transparency=bytes([0, 128] + [255] * 14))
        else:
            image.save(buffer, defect.upper())
        return buffer.getvalue()
    if defect == "grey":
        picture = picture.mean(axis=2).astype(np.uint8)
    if defect == "tiny":
        picture = drawing.shrink(picture, TINY_PX, TINY_PX)
    content = drawing.encode_jpeg(picture, quality)
    if defect in ("", "grey", "tiny"):
        return content
    if defect == "truncated":
        return content[: len(content) // 2]
    if defect == "empty":
        return b""
    if defect == "html":
        return WEB_PAGE
    raise ValueError(f"no defect {defect!r}; known: truncated, empty, html, grey, cmyk, png, webp, palette, tiny")
