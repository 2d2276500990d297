"""What a miniature data set consists of before it is drawn: its photos, its annotation files, its defects."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

# Defects of each data set of the quickstart, whatever its size: {source: {kind: number of files}}. 'truncated'
# and 'empty' files cannot be decoded, 'missing' ones are listed and not there; all three are rejects. 'grey',
# 'cmyk' and 'png' (in a .jpg) can be used. A 'duplicate' has the bytes of another file of its class; a 'leaked'
# train file has those of a test file.
DEFECTS: dict[str, dict[str, int]] = {
    "products_10k": {"truncated": 1, "empty": 1, "missing": 2, "cmyk": 1, "grey": 1, "duplicate": 1},
    "stanford_products": {"truncated": 1, "missing": 1, "grey": 2, "duplicate": 1, "leaked": 1},
    "stanford_cars": {"truncated": 1, "grey": 2, "missing": 1},
    "deepfashion_inshop": {"empty": 1, "missing": 1, "duplicate": 1},
    "gldv2": {"truncated": 1, "empty": 1, "missing": 3, "cmyk": 1, "png": 1},
    "met": {"truncated": 1, "missing": 2, "grey": 1, "png": 1},
}

# Classes of the quickstart (scale 1). Official splits give the first two thirds of them to training.
N_CLASSES = {
    "products_10k": 66,
    "stanford_products": 84,
    "stanford_cars": 60,
    "deepfashion_inshop": 78,
    "gldv2": 66,
    "met": 78,
}
GROUND_PX = (320, 280)  # width and height of a picture of parts
MIN_CLASSES = 18  # leaves room for every defect


@dataclass(frozen=True)
class Part:
    """A thing in a box of a picture: it fills the box, and what reaches over the picture's edge is cut off.

    Attributes:
        class_key, item, view, style: as in `Photo`.
        box: (x0, y0, x1, y1) in pixels; column x1 and row y1 are the first outside.
        reason: why the box has to be turned away, in the words of reader or build; such a box is not drawn.
    """

    class_key: str
    item: int
    view: int
    style: str
    box: tuple[int, int, int, int]
    reason: str = ""


@dataclass(frozen=True)
class Photo:
    """One file to draw.

    Attributes:
        path: relative to the data set's folder.
        class_key: what the data set says it shows. A reader may name a class otherwise, but may not part or
            join any.
        item: number of the thing shown; photos of one item show the same thing.
        view: number of the picture of that item; item, view and style say every pixel.
        style: what the domain's `photo` function knows, such as 'home' or 'shop'.
        split: 'train', 'val', 'test' or '' (no official split).
        defect: '' or a kind that changes the file: one of DEFECTS, 'html' (a web page under the picture's name),
            'webp', 'palette' (a PNG of 16 colours, some transparent) or 'tiny' (a crop of 40 px).
        role: 'query', 'index' or 'both' for val and test, '' for train.
        reason: why a reader has to turn this picture away, in its own words; '' where it does not.
        more_class_keys: other classes that are right as well.
        listed: False for a file that lies in the folder and does not belong to the data set.
        artist: who draws it, one of darkroom.ARTISTS; '' for the source's own.
        parts: what is drawn in boxes on an empty ground in place of the item, later ones over earlier ones; () for a
            picture of the item alone.
    """

    path: str
    class_key: str
    item: int
    view: int
    style: str
    split: str = ""
    defect: str = ""
    role: str = ""
    reason: str = ""
    more_class_keys: tuple[str, ...] = ()
    listed: bool = True
    artist: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class RawDataSet:
    """One miniature. files: {path relative to the data set's folder: content} of its annotations.

    The photos are the truth that a reader of the files is compared with; they are planned before the files and
    no reader has a part in it.
    """

    source: str
    photos: list[Photo]
    files: dict[str, bytes] = field(default_factory=dict)


def stream(seed: int, source: str, *numbers: int) -> np.random.Generator:
    """A generator of its own for every (seed, source, numbers), so that no order of drawing matters."""
    first = list(DEFECTS).index(source) if source in DEFECTS else zlib.crc32(source.encode())
    return np.random.default_rng([seed, first, *numbers])


def n_classes(source: str, scale: float) -> int:
    """How many classes a data set has; a multiple of three."""
    return max(MIN_CLASSES, 3 * round(N_CLASSES[source] * scale / 3))


def n_train_classes(source: str, scale: float) -> int:
    """How many of them an official split gives to training: two thirds."""
    return n_classes(source, scale) * 2 // 3


def lines(header: str, rows: Iterable[str]) -> bytes:
    """A text file: a header and rows."""
    return ("\n".join([header, *rows]) + "\n").encode()


def family_of(item: int) -> int:
    """Of six items three are siblings, two are siblings, one stands alone: how alike classes are.

    >>> [family_of(item) for item in range(8)]
    [0, 0, 0, 1, 1, 2, 3, 3]
    """
    return item // 6 * 3 + (0, 0, 0, 1, 1, 2)[item % 6]


def design_streams(seed: int, source: str, item: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators of an item's family and of its own design."""
    return stream(seed, source, family_of(item), 0, 0, 1), stream(seed, source, item, 0, 0, 2)


def photo_stream(seed: int, source: str, photo: Photo | Part) -> np.random.Generator:
    """The generator of everything that differs between photos of one item."""
    return stream(seed, source, photo.item, photo.view, 0, 3)


def with_defects(photos: Sequence[Photo], source: str, seed: int) -> list[Photo]:
    """The photos with the defects of their data set, each in a different class of four photos or more."""
    rng = stream(seed, source, 0, 0, 0, 5)
    by_class: dict[str, list[int]] = {}
    for position, photo in enumerate(photos):
        by_class.setdefault(photo.class_key, []).append(position)
    roomy = [positions for positions in by_class.values() if len(positions) >= 4]
    damaged = list(photos)
    order = rng.permutation(len(roomy)).tolist()
    for kind, number in DEFECTS[source].items():
        for _ in range(number):
            choice = next(k for k in order if kind != "leaked" or photos[roomy[k][0]].split == "train")
            order.remove(choice)
            first, second = (int(k) for k in rng.choice(roomy[choice], 2, replace=False))
            if kind == "duplicate":
                damaged[first] = _same_picture(photos[first], photos[second])
            elif kind == "leaked":
                tested = next(k for k in order if photos[roomy[k][0]].split == "test")
                order.remove(tested)
                damaged[first] = _same_picture(photos[first], photos[roomy[tested][0]])
            else:
                damaged[first] = replace(photos[first], defect=kind)
    return damaged


def _same_picture(photo: Photo, other: Photo) -> Photo:
    return replace(photo, item=other.item, view=other.view, style=other.style)
