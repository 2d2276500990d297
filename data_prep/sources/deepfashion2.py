"""DeepFashion2: buyers' and shops' photographs of garments in outfits.

Layout: `train/image/<n>.jpg` with `train/annos/<n>.json`, {"source", "pair_id", "item1": {"category_id",
"style", "bounding_box", ...}, "item2": ...}. A garment's identity is pair, category and style, and only styles
above 0 have one. A picture of a single garment is taken whole, one of several garments is a reject. With `crops`
each garment is cut out by its `bounding_box`, [x1, y1, x2, y2] in pixels, and is a sample.
"""

import re
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.boxes import box_rows, corner_box
from data_prep.sources.layouts import mark_missing_files, read_json, require_folder
from data_prep.sources.source import ByRequest, Source, source_rows

TITLE = "DeepFashion2"
FETCH = (
    "ask for the password by the form on https://github.com/switchablenorms/DeepFashion2, fetch train.zip from the "
    "Drive folder and unpack it with the password: train/image/ and train/annos/ go there"
)
FETCH_PLAN = ByRequest(FETCH)
NEEDS_A_CROP = "several things in one picture"
NO_IDENTITY = "garment without an identity"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), one for each annotated picture, all in split 'train'.

    Raises:
        ConfigError: a missing folder, no annotation, or an unreadable one.
    """
    annotations = _annotations(folder)
    keys, reasons = zip(*(_garment(path) for path in annotations))
    rows = source_rows(keys, [f"train/image/{path.stem}.jpg" for path in annotations], "train")
    return mark_missing_files(rows.with_columns(reject_reason=pl.Series(reasons, dtype=pl.String)), folder)


def read_boxes(folder: Path) -> pl.DataFrame:
    """Rows (BOX_SCHEMA), one for each garment, all in split 'train'.

    Raises:
        ConfigError: as `read_rows`, or a garment without a box.
    """
    keys, paths, boxes, reasons = [], [], [], []
    for path in _annotations(folder):
        content = read_json(path, ("pair_id",), TITLE, FETCH)
        for garment in _garments(content):
            key = _identity(content, garment)
            keys.append(key or f"unpaired-{path.stem}")
            paths.append(f"train/image/{path.stem}.jpg")
            boxes.append(corner_box(garment.get("bounding_box"), f"{TITLE}: {path}"))
            reasons.append(None if key else NO_IDENTITY)
    rows = box_rows(keys, paths, boxes).with_columns(reject_reason=pl.Series(reasons, dtype=pl.String))
    return mark_missing_files(rows, folder)


def _annotations(folder: Path) -> list[Path]:
    require_folder(folder / "train" / "image", TITLE, FETCH)
    annotations = sorted(require_folder(folder / "train" / "annos", TITLE, FETCH).glob("*.json"))
    if not annotations:
        raise ConfigError(f"{TITLE}: no annotations in {folder / 'train' / 'annos'}; to get them: {FETCH}")
    return annotations


def _garments(content: dict) -> list[dict]:
    return [item for key, item in content.items() if re.fullmatch(r"item\d+", key)]


def _identity(content: dict, garment: dict) -> str | None:
    style = int(garment["style"])
    return f"{content['pair_id']}/{garment['category_id']}/{style}" if style > 0 else None


def _garment(path: Path) -> tuple[str, str | None]:
    """Class key and, where the picture cannot be used whole, the reason."""
    content = read_json(path, ("pair_id",), TITLE, FETCH)
    items = _garments(content)
    if len(items) != 1:
        return f"uncropped-{path.stem}", NEEDS_A_CROP
    key = _identity(content, items[0])
    return (key, None) if key else (f"unpaired-{path.stem}", NO_IDENTITY)


DEEPFASHION2 = Source(
    key="deepfashion2",
    domain="apparel",
    title=TITLE,
    licence="non-commercial research, by form",
    homepage="https://github.com/switchablenorms/DeepFashion2",
    fetch=FETCH,
    raw_dir="deep_fashion2",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
    read_boxes=read_boxes,
)
