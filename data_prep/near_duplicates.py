"""Pictures that look the same but differ in their bytes: resized, re-encoded or lightly edited copies.

Two pictures are near when their 64-bit perceptual hashes differ in few bits. Nearness does not carry over: a may be
near b and b near c while a and c are far apart, and over millions of pictures such chains have no end. So nothing here
follows chains. In a fixed order, a picture is dropped when it is near one that was kept before it; a dropped picture
drops no other. Everything dropped is therefore near the very picture that its row names.
"""

from collections.abc import Iterable

import polars as pl

from data_prep.catalogue import ACCEPTED, reject
from data_prep.errors import ConfigError
from data_prep.hamming import near_pairs
from data_prep.storage import Location, remove, writing_whole

DEFAULT_MAX_BITS = 4
# A picture seen in more classes than this (a logo, 'no photo yet') says nothing about which classes are the same.
MAX_CLASSES_OF_A_PICTURE = 5
IN_CLASS, ACROSS = "near duplicate in class", "near duplicate across classes"

# One row a picture that has a near copy: what was done, and with which other picture it was compared.
FOUND_SCHEMA = {
    "source": pl.String,
    "path": pl.String,
    "class_key": pl.String,  # when it was compared: after merging for copies inside a class
    "other_path": pl.String,
    "other_class_key": pl.String,
    "bits": pl.UInt8,  # in which the two hashes differ
    "decision": pl.String,  # 'kept', 'dropped', 'class merged'
}
NO_NEIGHBOURS = pl.DataFrame(schema={"phash": pl.UInt64, "near_phash": pl.UInt64, "bits": pl.UInt8})
_NODE = ["source", "class_key", "phash"]
_ROLE_RANK = pl.col("role").replace_strict({"index": 0, "both": 1, "": 2, "query": 3}, return_dtype=pl.Int8)
_N_PIXELS = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)


def hash_neighbours(hashes: pl.Series, max_bits: int) -> pl.DataFrame:
    """Which hashes lie near which others.

    Args:
        hashes: UInt64 of all pictures in question, with repetitions and nulls.

    Returns:
        phash, near_phash, bits (UInt8), sorted, each pair in both directions, and with 0 bits each hash that has a near
        one or occurs more than once. Hashes that are alone do not occur.

    Raises:
        ConfigError: so many pairs that the pictures cannot be photographs of different things.
    """
    counted = hashes.drop_nulls().alias("phash").value_counts(name="n").sort("phash")
    distinct = counted["phash"].to_numpy()
    try:
        row_a, row_b, bits = near_pairs(distinct, max_bits)
    except ValueError as error:
        raise ConfigError(f"near_duplicates: max_bits: {error}") from error
    pairs = pl.DataFrame({"phash": distinct[row_a], "near_phash": distinct[row_b], "bits": bits})
    both = pl.concat([pairs, pairs.select(phash="near_phash", near_phash="phash", bits="bits")])
    repeated = counted.filter(pl.col("n") > 1).select("phash")
    alike = pl.concat([both.select("phash"), repeated]).unique()
    same = alike.select("phash", near_phash="phash", bits=pl.lit(0, dtype=pl.UInt8))
    return pl.concat([both, same]).sort("phash", "bits", "near_phash")


def reject_near_duplicates(
    catalogue: pl.DataFrame, near: pl.DataFrame, across_classes: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Near copies inside a source: between its classes by `across_classes`, then inside each class all but one go.

    Official val and test images are left alone here: their number is part of what a score means. Of near copies the
    index image stays, else the one with most pixels, else the smallest path.

    Args:
        near: of `hash_neighbours`, for the hashes of the accepted rows.
        across_classes: 'report' leaves them; 'drop' turns away all pictures that have a near copy in another class;
            'merge' joins the classes. There the class with most images is a centre and takes the classes that share a
            picture with it; these take no others. Merged rows carry the centre's key, and their own in
            `more_class_keys`. Pictures seen in more than MAX_CLASSES_OF_A_PICTURE other classes are dropped instead.

    Returns:
        The rows in their order, and FOUND_SCHEMA rows of what was found, sorted by source and path.
    """
    columns = catalogue.columns
    table = catalogue.with_row_index("row")
    contradictions = _across_classes(_looking_alike(table, near), near)
    crowded = pl.col("n_other_classes") > MAX_CLASSES_OF_A_PICTURE
    dropped = {"report": pl.lit(False), "merge": crowded, "drop": pl.lit(True)}[across_classes]
    merged = across_classes == "merge"
    table = _reject_rows(table, contradictions.filter(dropped), ACROSS, " of class ")
    decision = pl.when(dropped).then(pl.lit("dropped")).otherwise(pl.lit("class merged" if merged else "kept"))
    found = [contradictions.with_columns(decision=decision)]
    if merged:
        table = _merge_classes(table, contradictions.filter(~dropped), near)
    repeated = _inside_classes(_looking_alike(table, near), near)
    table = _reject_rows(table, repeated, IN_CLASS)
    found.append(repeated.with_columns(decision=pl.lit("dropped")))
    findings = pl.concat([rows.select(*FOUND_SCHEMA) for rows in found]).sort("source", "path", "decision")
    return table.select(columns), findings


def write_near_duplicates(findings: pl.DataFrame | None, path: Location) -> None:
    """`near_duplicates.csv` beside the shards; one of an earlier build goes where nothing was looked for."""
    if findings is None:
        remove(path)
        return
    with writing_whole(path) as unfinished_path:
        findings.write_csv(unfinished_path)


def _looking_alike(table: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """Accepted rows with a near hash outside official val and test, in the order in which they are preferred."""
    rows = table.filter(ACCEPTED, ~pl.col("split").is_in(["val", "test"]))
    rows = rows.join(near.select("phash").unique(), on="phash", how="semi")
    return rows.sort("source", _ROLE_RANK, -_N_PIXELS, "path", nulls_last=True).with_row_index("place")


def _nodes(rows: pl.DataFrame) -> pl.DataFrame:
    """The first row of each (source, class, hash): what holds for it holds for the others."""
    return rows.group_by(_NODE, maintain_order=True).agg(pl.col("place", "path").first())


def _across_classes(rows: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """Rows with a near copy in another class of their source; the nearest of these; how many other classes."""
    nodes = _nodes(rows)
    # Enough of each hash to see another class, and to tell few classes from many.
    some = nodes.filter(pl.int_range(pl.len()).over("source", "phash") <= MAX_CLASSES_OF_A_PICTURE + 1)
    others = some.select(
        "source", near_phash="phash", other_class_key="class_key", other_place="place", other_path="path"
    )
    edges = nodes.join(near, on="phash").join(others, on=["source", "near_phash"])
    edges = edges.filter(pl.col("class_key") != pl.col("other_class_key")).sort("bits", "other_place")
    nearest = edges.group_by(_NODE, maintain_order=True).agg(
        pl.col("other_path", "other_class_key", "bits").first(),
        n_other_classes=pl.col("other_class_key").n_unique(),
    )
    return rows.join(nearest, on=_NODE)


def _inside_classes(rows: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """Rows to be dropped in favour of a kept one of their class, and which."""
    nodes = _nodes(rows)
    others = nodes.select("source", "class_key", near_phash="phash", other_place="place")
    edges = nodes.join(near, on="phash").join(others, on=["source", "class_key", "near_phash"])
    edges = edges.filter(pl.col("other_place") < pl.col("place")).sort("place", "bits", "other_place")
    kept_by_dropped = _keep_first(edges.select("other_place", "place").iter_rows())
    schema = {"node_place": pl.UInt32, "kept_place": pl.UInt32}
    moved = pl.DataFrame(list(kept_by_dropped.items()), schema=schema, orient="row")
    places = rows.join(nodes.select(*_NODE, node_place="place"), on=_NODE, maintain_order="left")
    places = places.join(moved, on="node_place", how="left", maintain_order="left")
    places = places.with_columns(pl.col("kept_place").fill_null(pl.col("node_place")))
    repeated = places.filter(pl.col("kept_place") != pl.col("place"))
    kept = rows.select(kept_place="place", other_path="path", other_class_key="class_key", other_phash="phash")
    named = repeated.join(kept, on="kept_place", maintain_order="left")
    distances = near.rename({"near_phash": "other_phash"})
    return named.join(distances, on=["phash", "other_phash"], maintain_order="left")


def _keep_first(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """{dropped: kept} of (earlier, later) pairs sorted by the later: it goes where an earlier one was kept.

    >>> _keep_first([(0, 1), (1, 2), (2, 3)])  # a chain: 1 goes for 0, so 2 stays, so 3 goes
    {1: 0, 3: 2}
    """
    kept_by_dropped: dict[int, int] = {}
    for earlier, later in pairs:
        if later not in kept_by_dropped and earlier not in kept_by_dropped:
            kept_by_dropped[later] = earlier
    return kept_by_dropped


def _merge_classes(table: pl.DataFrame, contradictions: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """New class keys for whole classes, the old ones appended to `more_class_keys`."""
    of_class = ["source", "class_key"]
    nodes = contradictions.select(_NODE).unique()
    others = nodes.select("source", near_phash="phash", other="class_key")
    pairs = nodes.join(near, on="phash").join(others, on=["source", "near_phash"])
    pairs = pairs.filter(pl.col("class_key") != pl.col("other")).select(*of_class, "other").unique()
    sizes = table.filter(ACCEPTED).join(pairs, on=of_class, how="semi").group_by(of_class).len()
    ranked = sizes.sort("source", -pl.col("len").cast(pl.Int64), "class_key").with_row_index("rank")
    other_ranks = ranked.select("source", other="class_key", other_rank="rank")
    edges = pairs.join(ranked, on=of_class).join(other_ranks, on=["source", "other"])
    edges = edges.filter(pl.col("other_rank") < pl.col("rank")).sort("rank", "other_rank")
    centre_by_rank = _keep_first(edges.select("other_rank", "rank").iter_rows())
    keys = ranked["class_key"]
    moved = ranked.filter(pl.col("rank").is_in(list(centre_by_rank))).select(*of_class, "rank")
    moved = moved.with_columns(
        centre=pl.Series([keys[centre_by_rank[rank]] for rank in moved["rank"]], dtype=pl.String)
    )
    joined = table.join(moved.drop("rank"), on=of_class, how="left", maintain_order="left")
    is_moved = pl.col("centre").is_not_null()
    more = pl.concat_list(pl.col("more_class_keys").fill_null([]), "class_key")
    return joined.with_columns(
        more_class_keys=pl.when(is_moved).then(more).otherwise("more_class_keys"),
        class_key=pl.coalesce("centre", "class_key"),
    ).drop("centre")


def _reject_rows(table: pl.DataFrame, found: pl.DataFrame, reason: str, of_class: str | None = None) -> pl.DataFrame:
    """Turn away the rows of `found`, naming the other picture and the distance."""
    detail = pl.col("bits").cast(pl.String) + pl.lit(" bits from ") + pl.col("other_path")
    if of_class is not None:
        detail = detail + pl.lit(of_class) + pl.col("other_class_key")
    marked = table.join(found.select("row", found_detail=detail), on="row", how="left", maintain_order="left")
    return reject(marked, pl.col("found_detail").is_not_null(), reason, pl.col("found_detail")).drop("found_detail")
