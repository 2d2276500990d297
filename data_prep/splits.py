"""Class-disjoint train, val and test; which val and test images ask and which answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from data_prep.catalogue import ACCEPTED, reject
from data_prep.errors import ConfigError
from data_prep.hash_rank import rank_hashes

IN_EVALUATION = pl.col("split").is_in(["val", "test"])
CAN_ASK = pl.col("role").is_in(["query", "both"])
CAN_ANSWER = pl.col("role").is_in(["index", "both"])


@dataclass(frozen=True)
class SplitRule:
    """How one source is divided: its own split kept, or its classes dealt out anew."""

    kind: str  # 'official' | 'by_class'
    val_fraction: float = 0.0
    test_fraction: float = 0.0


def assign_splits(catalogue: pl.DataFrame, rules: Mapping[str, SplitRule], seed: int) -> pl.DataFrame:
    """Fill split and role of every row.

    Fractions are shares of the classes that can be scored: two accepted images or more, of which one may ask
    and another answer. Which classes they are is decided by a hash of seed, source and class key, so neither
    the order of the rows nor another source matters. Other classes of a 'by_class' source stay in train.
    Train rows have the role ''; val and test rows keep 'query' or 'index' where the data set says so and are
    'both' otherwise.

    Raises:
        ConfigError: an official split is asked for and missing, or a class lies in two splits.
    """
    by_class = sorted(source for source, rule in rules.items() if rule.kind == "by_class")
    divided = catalogue.with_columns(
        split=pl.when(pl.col("source").is_in(by_class)).then(pl.lit("train")).otherwise("split")
    )
    moved = []
    for source in sorted(catalogue["source"].unique()):
        rows = divided.lazy().filter(pl.col("source") == source)  # only the columns that are asked for are copied
        if rules[source].kind != "by_class":
            _require_official(rows.select("path", "split", "role").collect(), source)
        moved.append(_moved_classes(rows, source, rules[source], seed))
    divided = divided.join(pl.concat(moved), on=["source", "class_key"], how="left", maintain_order="left")
    was_train = pl.col("split") == "train"
    divided = divided.with_columns(split=pl.when(was_train).then(pl.coalesce("moved_to", "split")).otherwise("split"))
    role = pl.when(IN_EVALUATION & (pl.col("role") == "")).then(pl.lit("both")).otherwise("role")
    role = pl.when(IN_EVALUATION).then(role).otherwise(pl.lit(""))
    divided = divided.with_columns(role=role).select(catalogue.columns).sort("source", "path")
    check_disjoint(divided)
    return divided


def check_disjoint(catalogue: pl.DataFrame) -> None:
    """Raise ConfigError where a class has images in more than one split."""
    spread = (
        catalogue.group_by("source", "class_key")
        .agg(pl.col("split").unique().sort())
        .filter(pl.col("split").list.len() > 1)
        .sort("source", "class_key")
    )
    if not spread.is_empty():
        source, class_key, splits = spread.row(0)
        raise ConfigError(
            f"{source}: {spread.height} class(es) lie in more than one split, first {class_key!r} in "
            f"{', '.join(splits)}; train, val and test must not share classes (split: by_class divides anew)"
        )


def settle_queries(catalogue: pl.DataFrame) -> pl.DataFrame:
    """Make sure that every val and test query has something to find.

    A query whose index images were all rejected is rejected itself ('no index image left'); one that never
    had any is an error of the data. An image that may ask and answer but is alone in its class becomes an
    index image: a distractor for the others.

    Raises:
        ConfigError: a query whose class has no index image in the data set's own lists.
    """
    catalogue = catalogue.with_row_index("row")
    before = _queries_without_index(catalogue, pl.lit(True)).filter(ACCEPTED, pl.col("role") == "query")
    if not before.is_empty():
        first = before.sort("source", "path").row(0, named=True)
        raise ConfigError(
            f"{first['source']}: {before.height} query image(s) without an index image of their class in "
            f"{first['split']}, first {first['path']!r} of class {first['class_key']!r}"
        )
    lonely = _queries_without_index(catalogue, ACCEPTED)
    queries = lonely.filter(pl.col("role") == "query")["row"].implode()
    alone = lonely.filter(pl.col("role") == "both")["row"].implode()
    catalogue = reject(catalogue, pl.col("row").is_in(queries), "no index image left")
    role = pl.when(pl.col("row").is_in(alone)).then(pl.lit("index")).otherwise("role")
    return catalogue.with_columns(role=role).drop("row")


def _require_official(rows: pl.DataFrame, source: str) -> None:
    undecided = rows.filter(pl.col("split") == "")
    if not undecided.is_empty():
        raise ConfigError(
            f"{source}: {undecided.height} of {rows.height} rows have no official split, first "
            f"{undecided['path'][0]!r}; use split: by_class"
        )
    no_role = rows.filter(IN_EVALUATION, pl.col("role") == "")
    if not no_role.is_empty():
        raise ConfigError(
            f"{source}: {no_role.height} val or test rows without a role, first {no_role['path'][0]!r}; "
            "expected query, index or both"
        )


def _moved_classes(rows: pl.LazyFrame, source: str, rule: SplitRule, seed: int) -> pl.DataFrame:
    """Train classes of a source dealt to test, then val, in hash order: source, class_key, moved_to."""
    keys = _scorable_train_classes(rows)
    hashes = rank_hashes(seed, "split", pl.repeat(source, len(keys), eager=True), keys)
    scorable = pl.DataFrame([hashes.alias("hash"), keys]).sort("hash", "class_key")["class_key"]
    n_test = _share(rule.test_fraction, len(scorable))
    n_val = min(_share(rule.val_fraction, len(scorable)), len(scorable) - n_test)
    splits = pl.Series(["test"] * n_test + ["val"] * n_val, dtype=pl.String)
    return pl.DataFrame({"class_key": scorable.head(n_test + n_val), "moved_to": splits}).select(
        pl.lit(source).alias("source"), "class_key", "moved_to"
    )


def _scorable_train_classes(rows: pl.LazyFrame) -> pl.Series:
    train = rows.filter(ACCEPTED, pl.col("split") == "train")
    asks, answers = CAN_ASK | (pl.col("role") == ""), CAN_ANSWER | (pl.col("role") == "")
    counted = train.group_by("class_key").agg(n=pl.len(), asks=asks.any(), answers=answers.any())
    return counted.filter(pl.col("n") >= 2, "asks", "answers").select("class_key").collect()["class_key"]


def _share(fraction: float, n: int) -> int:
    """Nearest whole number of classes; at least one where a share is asked for and there is a class."""
    return min(n, max(1, math.floor(fraction * n + 0.5))) if fraction > 0 else 0


def _queries_without_index(catalogue: pl.DataFrame, counts: pl.Expr) -> pl.DataFrame:
    """Val and test rows that may ask, among those where `counts` holds, and share no label with an answer."""
    rows = catalogue.filter(IN_EVALUATION, counts).with_columns(
        label=pl.concat_list(pl.concat_list("class_key"), "more_class_keys").list.unique()
    )
    labelled = rows.explode("label", empty_as_null=True)
    place = ["source", "split", "label"]
    answers = labelled.filter(CAN_ANSWER).group_by(place).agg(n_answers=pl.len())
    asking = (
        labelled.filter(CAN_ASK)
        .join(answers, on=place, how="left")
        .with_columns(n_others=pl.col("n_answers").fill_null(0) - CAN_ANSWER.cast(pl.Int64))
    )
    matched = asking.filter(pl.col("n_others") > 0)["row"].unique()
    return rows.filter(CAN_ASK, ~pl.col("row").is_in(matched.implode())).drop("label")
