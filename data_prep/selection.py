"""Which train classes and which of their images are packed: minimum, number of classes, cap.

Val and test are never thinned here: their size is part of what a score means.
"""

from collections.abc import Mapping

import polars as pl

from data_prep.catalogue import ACCEPTED, reject
from data_prep.hash_rank import rank_hash

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
    extra = []
    for source, limit in sorted(max_classes.items()):
        rows = catalogue.filter(ACCEPTED, _TRAIN, pl.col("source") == source)
        class_keys = sorted(
            rows["class_key"].unique(), key=lambda key: (rank_hash(seed, "class", source, key), key)
        )
        extra += [{"source": source, "class_key": key, "extra": True} for key in class_keys[limit:]]
    table = pl.DataFrame(extra, schema={"source": pl.String, "class_key": pl.String, "extra": pl.Boolean})
    marked = catalogue.join(table, on=_CLASS, how="left", maintain_order="left")
    return reject(marked, pl.col("extra") & _TRAIN, "class not chosen", "max_classes").drop("extra")


def reject_over_cap(catalogue: pl.DataFrame, cap_per_class: Mapping[str, int], seed: int) -> pl.DataFrame:
    """Keep at most so many train images of a class, by a hash of seed, source, class key and path.

    The choice is the same on every machine and for every order of rows, does not change when other classes
    do, and a larger cap keeps the images of a smaller one. Sources not named keep all.
    """
    train = catalogue.filter(ACCEPTED, _TRAIN, pl.col("source").is_in(sorted(cap_per_class)))
    names = train.select(*_CLASS, "path").iter_rows()
    hashes = pl.Series([rank_hash(seed, "cap", *name) for name in names], dtype=pl.UInt64)
    ranked = train.select(*_CLASS, "path", cap_hash=hashes).sort("cap_hash", "path")
    ranked = ranked.select("source", "path", rank=pl.int_range(1, pl.len() + 1).over(_CLASS))
    marked = catalogue.join(ranked, on=["source", "path"], how="left", maintain_order="left")
    detail = pl.lit("cap ") + _limit_of(cap_per_class).cast(pl.String)
    return reject(marked, pl.col("rank") > _limit_of(cap_per_class), "over class cap", detail).drop("rank")


def _limit_of(limits: Mapping[str, int]) -> pl.Expr:
    """The limit of each row's source; null where its source has none."""
    if not limits:
        return pl.lit(None, dtype=pl.Int64)
    return pl.col("source").replace_strict(dict(limits), default=None, return_dtype=pl.Int64)
