"""A box of a picture as a sample of its own: what it is called, and where it lies in the stored pixels.

Such a sample has the path of its file with the box behind it, `scene.jpg#box=10,20,110,220`, so that every step that
tells pictures apart by their path tells two boxes of one file apart. Numbers are x0, y0, x1, y1 in whole pixels of the
upright picture (turned as its EXIF orientation says), y downwards; column x1 and row y1 are the first outside. A box
may reach over the picture's right and lower edge, whose place is known when the file is opened: it is clipped then.
"""

import re

import polars as pl

Box = tuple[int, int, int, int]

EMPTY_BOX = "empty box"
OUTSIDE = "box outside the picture"
SEVERAL_CLASSES = "one box of several classes"
MARK = "#box="
_BOX = r"-?\d+,-?\d+,-?\d+,-?\d+"
_SUFFIX = re.compile(f"{MARK}({_BOX})$")
_MOST_PX = 1 << 30  # annotations may say anything
_SIDES = ("x0", "y0", "x1", "y1")

# Of a table with the column `path`.
BOX_TEXT = pl.col("path").str.extract(f"{MARK}({_BOX})$")  # null for whole pictures
CROP = BOX_TEXT.str.split(",").cast(pl.List(pl.Int32))
FILE = pl.col("path").str.replace(f"{MARK}{_BOX}$", "")


def split_box(path: str) -> tuple[str, Box | None]:
    """The file and the box of a catalogue path; None for a whole picture.

    >>> split_box("a/scene.jpg#box=10,20,110,220")
    ('a/scene.jpg', (10, 20, 110, 220))
    """
    found = _SUFFIX.search(path) if MARK in path else None
    if found is None:
        return path, None
    x0, y0, x1, y1 = map(int, found[1].split(","))
    return path[: found.start()], (x0, y0, x1, y1)


def rows_of_boxes(rows: pl.DataFrame, margin: float) -> pl.DataFrame:
    """A row a box, with the box in its path; a box that is listed twice is one row.

    Fractions of pixels are rounded outwards. Rejects: boxes without area (EMPTY_BOX), boxes left of or above the
    picture (OUTSIDE), and a box that two classes claim (SEVERAL_CLASSES).

    Args:
        rows: ROW_SCHEMA and `box`: List(Float64) of edges x0, y0, x1, y1 in pixels; null for a picture that its reader
            turned away.
        margin: share of the box's width and height that is added on each side.
    """
    x0, y0, x1, y1 = map(pl.col, _SIDES)
    listed = pl.col("box").list
    edges = rows.with_row_index("row").with_columns(
        listed.get(n).alias(side) for n, side in enumerate(_SIDES)
    )
    is_empty = (x1 <= x0) | (y1 <= y0)
    edges = edges.with_columns(is_empty=is_empty, x_margin=margin * (x1 - x0), y_margin=margin * (y1 - y0))
    edges = edges.with_columns(  # rounded first: 1.1 + 2.9 may be a little more than 4
        _whole((x0 - pl.col("x_margin")).clip(0).round(4).floor()),
        _whole((y0 - pl.col("y_margin")).clip(0).round(4).floor()),
        _whole((x1 + pl.col("x_margin")).round(4).ceil()),
        _whole((y1 + pl.col("y_margin")).round(4).ceil()),
    )
    reason = pl.when("is_empty").then(pl.lit(EMPTY_BOX)).when((x1 <= 0) | (y1 <= 0)).then(pl.lit(OUTSIDE))
    text = pl.lit(MARK) + pl.concat_str(_SIDES, separator=",")
    named = edges.with_columns(
        path=pl.col("path") + text.fill_null(""), reject_reason=pl.coalesce("reject_reason", reason)
    )
    return _one_row_a_path(named).select(rows.drop("box").columns)


def stored_box(box: Box, stored_size: tuple[int, int], orientation: int) -> Box | None:
    """The box in the pixels as they lie in the file, clipped; None if it is outside.

    Args:
        box: in the upright picture.
        stored_size: (width, height) in the file, in pixels.
        orientation: EXIF tag, 1 to 8.
    """
    width, height = stored_size if orientation < 5 else stored_size[::-1]
    x0, x1 = (min(max(x, 0), width) for x in (box[0], box[2]))
    y0, y1 = (min(max(y, 0), height) for y in (box[1], box[3]))
    if x0 >= x1 or y0 >= y1:
        return None
    if orientation in (2, 3, 6, 7):  # what is right in the upright picture comes first in the file
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 7, 8):  # so does what is low
        y0, y1 = height - y1, height - y0
    return (x0, y0, x1, y1) if orientation < 5 else (y0, x0, y1, x1)


def _whole(edge: pl.Expr) -> pl.Expr:
    return edge.clip(-_MOST_PX, _MOST_PX).cast(pl.Int64)


def _one_row_a_path(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row of each path, an accepted one if there is one; a reject where accepted ones disagree."""
    accepted = pl.col("reject_reason").is_null()
    disputed = (pl.col("class_key").filter(accepted).n_unique() > 1).over("path") & accepted
    marked = rows.with_columns(reject_reason=pl.when(disputed).then(pl.lit(SEVERAL_CLASSES)).otherwise("reject_reason"))
    return marked.sort(~accepted, "row").unique("path", keep="first", maintain_order=True).sort("row")
