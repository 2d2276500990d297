"""Exact duplicates by sha256: inside a class, between classes of a source, and between splits.

Two boxes of one file are two pictures (crops.py); a file and a box of it show the same.
"""

from collections.abc import Callable

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS, reject
from data_prep.crops import BOX_TEXT

_ROLE_ORDER = {"index": 0, "both": 1, "": 2, "query": 3}  # losing an index image could cost many queries
_ROLE_RANK = pl.col("role").replace_strict(_ROLE_ORDER, return_dtype=pl.Int8)
_SPLIT_RANK = pl.col("split").replace_strict({"": 0, **{split: n for n, split in enumerate(SPLITS)}})


_HAS_HASH = pl.col("sha256").is_not_null()


def reject_duplicates(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Turn away repeated pictures inside one split of a source (before splits are made: inside the source).

    The same picture in several classes is a contradiction: all copies go ('duplicate across classes'). Inside
    a class one copy stays, an index image if there is one, then the smallest path ('duplicate in class').
    """
    return _among_repeated(catalogue, _reject_repeated)


def _reject_repeated(catalogue: pl.DataFrame) -> pl.DataFrame:
    catalogue = catalogue.with_columns(box=BOX_TEXT)
    group = ["source", "split", "sha256", "box"]
    contradicted = (pl.col("class_key").filter(ACCEPTED).n_unique().over(group) > 1) & _HAS_HASH
    classes = (
        pl.col("class_key").filter(ACCEPTED).unique().sort().head(5).implode().over(group).list.join(", ")
    )
    catalogue = reject(
        catalogue, contradicted, "duplicate across classes", pl.lit("same bytes in classes ") + classes
    )
    kept = pl.col("path").sort_by(~ACCEPTED, _ROLE_RANK, "path").first().over(group)
    repeated = (pl.col("path") != kept) & _HAS_HASH
    return reject(catalogue, repeated, "duplicate in class", pl.lit("same bytes as ") + kept)


def reject_leaks(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Turn away pictures that a more protected split of any source holds too: test, val, then train.

    Other boxes of a file stay, unless the file is somewhere taken as a whole.
    """
    return _among_repeated(catalogue, _reject_leaked)


def _reject_leaked(catalogue: pl.DataFrame) -> pl.DataFrame:
    is_whole_somewhere = (BOX_TEXT.is_null() & ACCEPTED).any().over("sha256")
    catalogue = catalogue.with_columns(box=pl.when(~is_whole_somewhere).then(BOX_TEXT))
    picture = ["sha256", "box"]
    order = (~ACCEPTED, -_SPLIT_RANK, "source", "path")
    best_rank = _SPLIT_RANK.filter(ACCEPTED).max().over(picture)
    kept = (pl.col("split") + pl.lit(": ") + pl.col("path")).sort_by(*order).first().over(picture)
    leaked = (best_rank > _SPLIT_RANK) & _HAS_HASH
    return reject(catalogue, leaked, "same picture in an evaluation split", pl.lit("same bytes as ") + kept)


def _among_repeated(catalogue: pl.DataFrame, step: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """`step` of the accepted rows that share their hash with another, one in a thousand or so; the rest stays.

    Grouping millions of rows of which most are alone takes minutes.
    """
    rows = catalogue.with_row_index("row")
    counted = pl.when(ACCEPTED).then("sha256")
    repeated = step(rows.filter(counted.is_duplicated() & counted.is_not_null()))
    rejected = repeated.filter(~ACCEPTED).select("row", reason="reject_reason", detail="reject_detail")
    joined = rows.join(rejected, on="row", how="left", maintain_order="left")
    return joined.with_columns(
        reject_reason=pl.coalesce("reject_reason", "reason"), reject_detail=pl.coalesce("reject_detail", "detail")
    ).select(catalogue.columns)
