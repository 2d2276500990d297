"""Annotated boxes in the conventions of their formats -> edges in pixels, 0 at the picture's left and upper edge."""

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import read_json
from data_prep.sources.source import BOX_SCHEMA, source_rows

Edges = list[float]  # left, upper, right, lower
NOTHING = "nothing annotated"


def box_rows(class_keys: Sequence[str], paths: Sequence[str], boxes: Sequence[Edges | None]) -> pl.DataFrame:
    """BOX_SCHEMA's columns, all rows in split 'train'; pictures without a box are rejects."""
    box = pl.Series("box", list(boxes), dtype=BOX_SCHEMA["box"])
    reason = pl.when(pl.col("box").is_null()).then(pl.lit(NOTHING))
    return source_rows(class_keys, paths, "train").with_columns(box).with_columns(reject_reason=reason)


def corner_box(corners: object, where: str) -> Edges:
    """Edges of [x1, y1, x2, y2], as DeepFashion2 has them.

    Raises:
        ConfigError: not four finite numbers; the message names `where` they are from.
    """
    x1, y1, x2, y2 = _four_numbers(corners, where)
    return [x1, y1, x2, y2]


def coco_box(bbox: object, where: str) -> Edges:
    """Edges of COCO's [x, y, width, height], which may have fractions.

    Raises:
        ConfigError: not four finite numbers; the message names `where` they are from.
    """
    x, y, width, height = _four_numbers(bbox, where)
    return [x, y, x + width, y + height]


def voc_box(bndbox: Sequence[str | None], where: str) -> Edges:
    """Edges of Pascal VOC's xmin, ymin, xmax, ymax: the first pixel is 1, and the last one is inside.

    Raises:
        ConfigError: not four finite numbers; the message names `where` they are from.
    """
    xmin, ymin, xmax, ymax = _four_numbers(bndbox, where)
    return [xmin - 1, ymin - 1, xmax, ymax]


def read_coco_boxes(path: Path, what: str, fetch: str = "") -> list[tuple[str, str, Edges | None]]:
    """(file_name, category as text, edges) of each annotation of a COCO file, by the order of its images.

    A listed image without annotation is there once, with an empty category and no edges.

    Raises:
        ConfigError: not such a file, an annotation of an image that is not listed, or one without a box.
    """
    content = read_json(path, ("images", "annotations"), what, fetch)
    found: dict[object, list] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        image, where = annotation["image_id"], f"{what}: {path}: annotation {annotation.get('id')}"
        if image not in found:
            raise ConfigError(f"{where} is of image {image!r}, which is not listed")
        found[image].append((str(annotation["category_id"]), coco_box(annotation.get("bbox"), where)))
    names = {image["id"]: image["file_name"] for image in content["images"]}
    return [(names[image], *box) for image, boxes in found.items() for box in boxes or [("", None)]]


def read_voc_boxes(path: Path, what: str) -> list[Edges]:
    """Edges of each object of a Pascal VOC file; none where the file is missing.

    Raises:
        ConfigError: not XML, or an object without a whole box.
    """
    if not path.is_file():
        return []
    try:
        objects = ElementTree.parse(path).getroot().iter("object")
    except ElementTree.ParseError as error:
        raise ConfigError(f"{what}: {path} is not readable XML: {error}") from error
    sides = ("xmin", "ymin", "xmax", "ymax")
    return [voc_box([one.findtext(f"bndbox/{side}") for side in sides], f"{what}: {path}") for one in objects]


def _four_numbers(values: object, where: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{where}: got box {values!r}, expected four finite numbers")
    return numbers
