"""Exact duplicates by sha256: inside a class, between classes of a source, and between splits."""

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS, reject

_ROLE_ORDER = {"index": 0, "both": 1, "": 2, "query": 3}  # losing an index image could cost many queries
_ROLE_RANK = pl.col("role").replace_strict(_ROLE_ORDER, return_dtype=pl.Int8)
_SPLIT_RANK = pl.col("split").replace_strict({"": 0, **{split: n for n, split in enumerate(SPLITS)}})


_HAS_HASH = pl.col("sha256").is_not_null()


def reject_duplicates(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Turn away repeated pictures inside one split of a source (before splits are made: inside the source).

    The same picture in several classes is a contradiction: all copies go ('duplicate across classes'). Inside
    a class one copy stays, an index image if there is one, then the smallest path ('duplicate in class').
    """
    group = ["source", "split", "sha256"]
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
    """Turn away pictures that a more protected split of any source holds too: test, val, then train."""
    order = (~ACCEPTED, -_SPLIT_RANK, "source", "path")
    best_rank = _SPLIT_RANK.filter(ACCEPTED).max().over("sha256")
    kept = (pl.col("split") + pl.lit(": ") + pl.col("path")).sort_by(*order).first().over("sha256")
    leaked = (best_rank > _SPLIT_RANK) & _HAS_HASH
    return reject(catalogue, leaked, "same picture in an evaluation split", pl.lit("same bytes as ") + kept)
