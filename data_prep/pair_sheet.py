"""Near copies of a build side by side, so that a person can judge what was done with them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from data_prep.crops import split_box
from data_prep.hash_rank import rank_hashes
from data_prep.images import Rejected, prepare_image
from data_prep.picture_row import side_by_side

MOST_PAIRS = 36
PICTURE_PX = 132  # each of the two has a square of this
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Pair:
    """Two pictures that look the same, as one JPEG, and the verdict; `path` is the one that the verdict is about."""

    source: str
    path: str
    class_key: str
    other_path: str
    other_class_key: str
    bits: int  # in which their hashes differ
    verdict: str
    jpeg: bytes


@dataclass(frozen=True)
class PairSheet:
    """Some pairs, chosen so that each verdict is shown, and how many there are."""

    pairs: list[Pair]
    n_pairs: int


def draw_pair_sheet(findings: pl.DataFrame, raw_root: Path) -> PairSheet:
    """At most MOST_PAIRS pairs with their pictures from the raw files.

    Args:
        findings: FOUND_SCHEMA of `near_duplicates`.
    """
    pairs = _pairs(findings)
    return PairSheet(list(_drawn(_choice(pairs), raw_root)), pairs.height)


def _pairs(findings: pl.DataFrame) -> pl.DataFrame:
    """Each pair and verdict once, whichever of the two was found first."""
    is_across = pl.col("class_key") != pl.col("other_class_key")
    verdict = (
        pl.when(pl.col("decision") == "kept").then(pl.lit("kept, reported"))
        .when(pl.col("decision") == "class merged").then(pl.lit("classes merged"))
        .when(is_across).then(pl.lit("dropped: two classes"))
        .otherwise(pl.lit("the left one dropped"))
    )  # fmt: skip
    ordered = findings.with_columns(
        verdict=verdict, first=pl.min_horizontal("path", "other_path"), second=pl.max_horizontal("path", "other_path")
    )
    once = ordered.sort("source", "path", "other_path").unique(
        ["source", "first", "second", "verdict"], keep="first", maintain_order=True
    )
    return once.drop("first", "second")


def _choice(pairs: pl.DataFrame) -> pl.DataFrame:
    """MOST_PAIRS of them by hash rank, the verdicts by turns; sorted by verdict, the least alike first."""
    hashes = rank_hashes(0, "pair sheet", pairs["source"], pairs["path"], pairs["other_path"])
    ranked = pairs.with_columns(rank=hashes).sort("rank", "path", "other_path")
    ranked = ranked.with_columns(turn=pl.int_range(1, pl.len() + 1).over("verdict"))
    chosen = ranked.sort("turn", "verdict").head(MOST_PAIRS)
    return chosen.sort("verdict", -pl.col("bits").cast(pl.Int16), "source", "path", "other_path")


def _drawn(pairs: pl.DataFrame, raw_root: Path) -> Iterator[Pair]:
    names = ("source", "path", "class_key", "other_path", "other_class_key", "bits", "verdict")
    for row in pairs.select(names).iter_rows():
        yield Pair(*row, _pair_picture(raw_root, (row[1], row[3])))


def _pair_picture(raw_root: Path, paths: tuple[str, str]) -> bytes:
    """One JPEG; a file that cannot be read any more leaves its place grey."""
    lost = Image.new("RGB", (PICTURE_PX, PICTURE_PX), "grey")
    return side_by_side([_picture(raw_root, path) or lost.copy() for path in paths], PICTURE_PX, _JPEG_QUALITY)


def _picture(raw_root: Path, path: str) -> Image.Image | None:
    file, box = split_box(path)
    try:
        prepared = prepare_image((raw_root / file).read_bytes(), PICTURE_PX, 95, box=box)
    except OSError:
        return None
    return None if isinstance(prepared, Rejected) else Image.open(io.BytesIO(prepared.jpeg)).convert("RGB")
