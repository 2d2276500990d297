"""What the small miniatures share: a few classes of a few photos, broken files in fixed places, text files.

Unlike the six of the quickstart they are not made to be learnt from. They hold every trap of the real set, so
that a reader that falls into one is seen, and as few pictures as that takes.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from data_prep.miniature.raw_data import Part, Photo

Box = tuple[int, int, int, int]

CLASSES = 6  # of a small miniature at scale 1
LEAST_CLASSES = 4
STYLES = {
    "packages": ("shop", "home"),
    "shop_items": ("shop", "home"),
    "garments": ("0:front", "0:full", "0:side", "0:back", "0:additional"),
    "cars": ("road", "showroom"),
    "buildings": ("day", "evening"),
    "artworks": ("catalogue", "visitor"),
    "dishes": ("menu", "phone"),
    "creatures": ("field", "close"),
    "drawn_figures": ("face", "whole"),
    "art_styles": ("scan", "framed"),
}


def n_small_classes(scale: float) -> int:
    """How many classes a small miniature has.

    >>> [n_small_classes(scale) for scale in (0.1, 1.0, 2.0)]
    [4, 6, 12]
    """
    return max(LEAST_CLASSES, round(CLASSES * scale))


def shots(
    artist: str, item: int, class_key: str, paths: Iterable[str], split: str = "train", role: str = ""
) -> list[Photo]:
    """Photos of one item under these paths, all different pictures, in the artist's styles by turns."""
    styles = STYLES[artist]
    return [
        Photo(path, class_key, item, view, styles[view % len(styles)], split, role=role, artist=artist)
        for view, path in enumerate(paths)
    ]


def boxed(photo: Photo, place: int = 0) -> Photo:
    """The photo as a picture of its item in a box; the box differs with view and place."""
    x0, y0 = 23 + 11 * (photo.view % 5) + 5 * place, 14 + 9 * (photo.view % 4) + 3 * place
    box = (x0, y0, x0 + 140 + 6 * place, y0 + 170 - 7 * (photo.view % 3))
    return replace(photo, parts=(Part(photo.class_key, photo.item, photo.view, photo.style, box),))


def scene(photo: Photo, things: Sequence[tuple[str, int, Box]]) -> Photo:
    """The photo, of an item of its own, as a picture of several things, (class key, item, box) each, in other views."""
    styles = STYLES[photo.artist]
    parts = (
        Part(class_key, item, 100 * photo.item + 10 * photo.view + n, styles[n % len(styles)], box)
        for n, (class_key, item, box) in enumerate(things)
    )
    return replace(photo, parts=tuple(parts))


def fractional_coco(box: Box) -> list[float]:
    """COCO's [x, y, width, height] of a box a little smaller, if it has area; rounded outwards it is the box again.

    >>> fractional_coco((10, 20, 50, 90))
    [10.25, 20.5, 39.5, 69.25]
    """
    x0, y0, x1, y1 = box
    if x0 == x1 or y0 == y1:
        return [float(x0), float(y0), float(x1 - x0), float(y1 - y0)]
    return [x0 + 0.25, y0 + 0.5, x1 - x0 - 0.5, y1 - y0 - 0.75]


def damaged(
    photos: Sequence[Photo], kinds: Sequence[str], where: Callable[[Photo], bool] = lambda photo: True
) -> list[Photo]:
    """The photos, one of them with each of the kinds of defect of `Photo.defect`, or 'duplicate'.

    The first kind falls on the last photo of the first class, the second on that of the second class, and so
    on, round and round; only photos that are in the lists, can be used and fulfil `where` are damaged, and a
    class keeps at least one. A 'duplicate' gets the bytes of the first such photo of its class.

    Raises:
        ValueError: there is no photo left for a kind.
    """
    result = list(photos)
    classes = list(dict.fromkeys(photo.class_key for photo in photos))
    turn = 0
    for kind in kinds:
        for _ in classes:
            chosen = classes[turn % len(classes)]
            able = [k for k, photo in enumerate(result) if _usable(photo, chosen) and where(photo)]
            turn += 1
            if len(able) > 1:
                break
        else:
            raise ValueError(f"no photo is left for a {kind} one")
        first, last = result[able[0]], result[able[-1]]
        if kind == "duplicate":
            result[able[-1]] = same_picture(last, first)
        else:
            result[able[-1]] = replace(last, defect=kind)
    return result


def _usable(photo: Photo, class_key: str) -> bool:
    return photo.class_key == class_key and photo.listed and not photo.defect and not photo.reason


def unlisted(photos: Iterable[Photo]) -> list[Photo]:
    """The photos as files that lie in the folder and do not belong to the data set."""
    return [replace(photo, listed=False) for photo in photos]


def listed(photos: Iterable[Photo]) -> list[Photo]:
    """Those that do belong to it."""
    return [photo for photo in photos if photo.listed]


def same_picture(photo: Photo, other: Photo) -> Photo:
    """`photo` with the bytes of `other`."""
    return replace(
        photo, item=other.item, view=other.view, style=other.style, artist=other.artist, parts=other.parts
    )


def csv_text(rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; cells with commas, quotes or line ends are quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def plain_lines(rows: Iterable[str]) -> bytes:
    """A text file without a header."""
    return "".join(f"{row}\n" for row in rows).encode()


def json_text(tree: object) -> bytes:
    """A JSON file."""
    return json.dumps(tree, ensure_ascii=False).encode()
