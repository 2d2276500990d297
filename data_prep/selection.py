"""Which train classes and which of their images are packed: minimum, number of classes, cap.

Val and test are never thinned here: their size is part of what a score means.
"""

from collections.abc import Mapping

import polars as pl

from data_prep.catalogue import ACCEPTED, reject
from data_prep.hash_rank import rank_hashes

_CLASS = ["source", "class_key"]
_TRAIN = pl.col("split") == "train"


def reject_small_classes(catalogue: pl.DataFrame, min_per_class: Mapping[str, int]) -> pl.DataFrame:
    """Turn away train classes with fewer accepted images than their source's minimum."""
    n_images = (ACCEPTED & _TRAIN).sum().over(_CLASS).cast(pl.Int64)
    too_few = _TRAIN & (n_images < _limit_of(min_per_class))
    detail = (
        n_images.cast(pl.String)
        + pl.lit(" usable image(s), minimum ")
        + _limit_of(min_per_class).cast(pl.String)
    )
    return reject(catalogue, too_few, "class below minimum", detail)


def reject_extra_classes(catalogue: pl.DataFrame, max_classes: Mapping[str, int], seed: int) -> pl.DataFrame:
    """Keep at most so many train classes of a source, by hash rank; sources not named keep all.

    A larger maximum keeps the classes of a smaller one.
    """
    keys = catalogue.filter(ACCEPTED, _TRAIN, pl.col("source").is_in(sorted(max_classes))).select(_CLASS).unique()
    ranked = keys.with_columns(class_hash=rank_hashes(seed, "class", *keys.get_columns()))
    ranked = ranked.sort("class_hash", "class_key").with_columns(rank=pl.int_range(1, pl.len() + 1).over("source"))
    table = ranked.filter(pl.col("rank") > _limit_of(max_classes)).select(*_CLASS, extra=pl.lit(True))
    marked = catalogue.join(table, on=_CLASS, how="left", maintain_order="left")
    return reject(marked, pl.col("extra") & _TRAIN, "class not chosen", "max_classes").drop("extra")


def reject_over_cap(catalogue: pl.DataFrame, cap_per_class: Mapping[str, int], seed: int) -> pl.DataFrame:
    """Keep at most so many train images of a class, by a hash of seed, source, class key and path.

    The choice is the same on every machine and for every order of rows, does not change when other classes
    do, and a larger cap keeps the images of a smaller one. Sources not named keep all.
    """
    train = catalogue.filter(ACCEPTED, _TRAIN, pl.col("source").is_in(sorted(cap_per_class)))
    large = train.group_by(_CLASS).len().filter(pl.col("len").cast(pl.Int64) > _limit_of(cap_per_class))
    train = train.select(*_CLASS, "path").join(large, on=_CLASS, how="semi")  # others have no rank above the cap
    hashes = rank_hashes(seed, "cap", *train.get_columns())
    ranked = train.with_columns(cap_hash=hashes).sort("cap_hash", "path")
    ranked = ranked.select("source", "path", rank=pl.int_range(1, pl.len() + 1).over(_CLASS))
    marked = catalogue.join(ranked, on=["source", "path"], how="left", maintain_order="left")
    detail = pl.lit("cap ") + _limit_of(cap_per_class).cast(pl.String)
    return reject(marked, pl.col("rank") > _limit_of(cap_per_class), "over class cap", detail).drop("rank")


def _limit_of(limits: Mapping[str, int]) -> pl.Expr:
    """The limit of each row's source; null where its source has none."""
    if not limits:
        return pl.lit(None, dtype=pl.Int64)
    return pl.col("source").replace_strict(dict(limits), default=None, return_dtype=pl.Int64)
