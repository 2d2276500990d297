import polars as pl
import pytest

from data_prep.catalogue import make_catalogue, reject
from data_prep.errors import ConfigError
from data_prep.hash_rank import rank_hash
from data_prep.sources.source import source_rows
from data_prep.splits import SplitRule, assign_splits, check_disjoint, settle_queries

OFFICIAL = SplitRule("official")


def catalogue(rows, source="s"):
    """Rows are (class_key, split, role[, more_class_keys]); paths are numbered."""
    columns = list(zip(*[(*row, [])[:4] for row in rows], strict=True))
    paths = [f"{n:03d}.jpg" for n in range(len(rows))]
    table = source_rows(columns[0], paths, columns[1], columns[2], columns[3])
    return make_catalogue(table, source, "d", source)


def classes_of(table, split):
    return set(table.filter(pl.col("split") == split)["class_key"])


def two_each(names, split="", role=""):
    return [(name, split, role) for name in names for _ in range(2)]


def hash_order(names, source="s", seed=0):
    return sorted(names, key=lambda name: rank_hash(seed, "split", source, name))


NAMES = [f"c{n}" for n in range(10)]


def test_by_class_deals_classes_in_hash_order_and_gives_everyone_both_roles():
    rule = {"s": SplitRule("by_class", val_fraction=0.2, test_fraction=0.3)}
    table = assign_splits(catalogue(two_each(NAMES)), rule, seed=0)
    order = hash_order(NAMES)
    assert classes_of(table, "test") == set(order[:3])
    assert classes_of(table, "val") == set(order[3:5])
    assert classes_of(table, "train") == set(order[5:])
    assert set(table.filter(pl.col("split") == "train")["role"]) == {""}
    assert set(table.filter(pl.col("split") != "train")["role"]) == {"both"}


def test_the_order_of_rows_and_other_sources_do_not_matter():
    rules = {name: SplitRule("by_class", 0.2, 0.3) for name in ("s", "other")}
    table = catalogue(two_each(NAMES))
    alone = assign_splits(table, rules, seed=0)
    together = assign_splits(pl.concat([catalogue(two_each("xyz"), "other"), table.reverse()]), rules, seed=0)
    assert together.filter(pl.col("source") == "s").equals(alone)


def test_another_seed_deals_otherwise():
    rule = {"s": SplitRule("by_class", 0.0, 0.3)}
    dealt = {
        frozenset(classes_of(assign_splits(catalogue(two_each(NAMES)), rule, s), "test")) for s in range(5)
    }
    assert len(dealt) > 1


def test_by_class_keeps_the_roles_of_the_data_set_outside_train():
    rows = [row for name in NAMES for row in ((name, "", "query"), (name, "", "index"), (name, "", ""))]
    table = assign_splits(catalogue(rows), {"s": SplitRule("by_class", 0.0, 0.5)}, 0)
    assert table.filter(pl.col("split") == "test")["role"].value_counts(sort=True).height == 3
    assert set(table.filter(pl.col("split") == "train")["role"]) == {""}


def test_classes_that_cannot_be_scored_stay_in_train():
    rows = [
        *two_each(["pair"]),
        ("single", "", ""),
        *two_each(["asks"], role="query"),
        *two_each(["answers"], role="index"),
    ]
    table = assign_splits(catalogue(rows), {"s": SplitRule("by_class", 0.0, 1.0)}, 0)
    assert classes_of(table, "test") == {"pair"}
    assert classes_of(table, "train") == {"single", "asks", "answers"}


def test_rejected_images_do_not_make_a_class_scorable():
    table = reject(catalogue(two_each(["a", "b"])), pl.col("path") == "s/000.jpg", "truncated")
    table = assign_splits(table, {"s": SplitRule("by_class", 0.0, 1.0)}, 0)
    assert classes_of(table, "test") == {"b"}


def test_official_keeps_split_and_role_and_moves_train_classes_to_val():
    test_rows = [("t", "test", "query"), ("t", "test", "index")]
    table = catalogue(two_each(NAMES, "train") + test_rows)
    table = assign_splits(table, {"s": SplitRule("official", val_fraction=0.3)}, 0)
    assert classes_of(table, "val") == set(hash_order(NAMES)[:3])
    assert set(table.filter(pl.col("split") == "val")["role"]) == {"both"}
    assert table.filter(pl.col("split") == "test")["role"].to_list() == ["query", "index"]


def test_a_small_fraction_still_gives_one_class():
    table = assign_splits(catalogue(two_each(NAMES, "train")), {"s": SplitRule("official", 0.001)}, 0)
    assert len(classes_of(table, "val")) == 1


def test_official_without_an_official_split_or_role_is_an_error():
    with pytest.raises(ConfigError, match=r"s: 1 of 2 rows have no official split, first 's/001.jpg'"):
        assign_splits(catalogue([("a", "train", ""), ("b", "", "")]), {"s": OFFICIAL}, 0)
    with pytest.raises(ConfigError, match=r"1 val or test rows without a role"):
        assign_splits(catalogue([("a", "test", "")]), {"s": OFFICIAL}, 0)


def test_a_class_in_two_splits_is_an_error():
    table = catalogue([("a", "train", ""), ("b", "train", ""), ("b", "test", "both")])
    with pytest.raises(
        ConfigError, match=r"s: 1 class\(es\) lie in more than one split, first 'b' in test, train"
    ):
        assign_splits(table, {"s": OFFICIAL}, 0)


def test_the_same_key_in_two_sources_is_two_classes():
    check_disjoint(pl.concat([catalogue([("a", "train", "")]), catalogue([("a", "test", "both")], "other")]))


def test_a_query_that_never_had_an_index_image_is_an_error():
    table = catalogue([("a", "test", "query"), ("b", "test", "index")])
    with pytest.raises(
        ConfigError,
        match=r"1 query image\(s\) without an index image .* in test, first 's/000.jpg' of class 'a'",
    ):
        settle_queries(table)


def test_a_query_that_is_rejected_anyway_may_be_without_an_index_image():
    table = reject(catalogue([("a", "test", "query")]), pl.lit(True), "query not scored")
    assert settle_queries(table)["reject_reason"].to_list() == ["query not scored"]


def test_an_index_image_of_another_split_does_not_count():
    table = catalogue([("a", "test", "query"), ("a", "val", "index")])
    with pytest.raises(ConfigError, match="without an index image"):
        settle_queries(table)


def test_any_accepted_label_makes_a_match():
    table = catalogue(
        [
            ("a", "test", "query", ["b"]),
            ("b", "test", "index"),
            ("c", "test", "query"),
            ("d", "test", "index", ["c"]),
        ]
    )
    assert settle_queries(table)["reject_reason"].null_count() == 4


def test_a_query_whose_index_images_were_rejected_is_a_counted_reject():
    table = catalogue(
        [("a", "test", "query"), ("a", "test", "index"), ("b", "test", "query"), ("b", "test", "index")]
    )
    table = settle_queries(reject(table, pl.col("path") == "s/001.jpg", "truncated"))
    assert table["reject_reason"].to_list() == ["no index image left", "truncated", None, None]


def test_an_image_with_no_other_to_find_becomes_a_distractor():
    rows = [
        ("a", "test", "both"),
        *two_each(["b"], "test", "both"),
        ("c", "test", "both"),
        ("c", "test", "query"),
    ]
    settled = settle_queries(catalogue(rows))
    assert settled["role"].to_list() == [
        "index",
        "both",
        "both",
        "index",
        "query",
    ]  # c's query still finds it


def test_an_image_is_not_its_own_answer_under_several_labels():
    settled = settle_queries(catalogue([("a", "test", "both", ["b", "a"])]))
    assert settled["role"].to_list() == ["index"]


def test_train_rows_are_left_alone():
    table = catalogue([("a", "train", "")])
    assert settle_queries(table).equals(table)
