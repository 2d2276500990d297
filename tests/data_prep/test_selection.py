import polars as pl
import pytest

from data_prep.catalogue import ACCEPTED, make_catalogue, reject
from data_prep.hash_rank import rank_hash
from data_prep.selection import reject_extra_classes, reject_over_cap, reject_small_classes
from data_prep.sources.source import source_rows


def catalogue(sizes, source="s", split="train"):
    """`sizes`: {class_key: number of images}."""
    keys = [key for key, n in sizes.items() for _ in range(n)]
    paths = [f"{key}/{n}.jpg" for key, size in sizes.items() for n in range(size)]
    return make_catalogue(source_rows(keys, paths, split), source, "d", source)


def kept(table):
    return set(table.filter(ACCEPTED)["path"])


def test_small_train_classes_go_and_evaluation_classes_stay():
    table = pl.concat([catalogue({"a": 3, "b": 2}), catalogue({"c": 1}, split="test")])
    table = reject_small_classes(table, {"s": 3})
    assert {path.split("/")[1] for path in kept(table)} == {"a", "c"}
    assert (
        table.filter(pl.col("class_key") == "b")["reject_detail"].to_list()
        == ["2 usable image(s), minimum 3"] * 2
    )


def test_the_minimum_counts_usable_images_only():
    table = reject(catalogue({"a": 3, "b": 3}), pl.col("path") == "s/a/0.jpg", "truncated")
    table = reject_small_classes(table, {"s": 3})
    assert {path.split("/")[1] for path in kept(table)} == {"b"}
    assert table["reject_reason"].to_list()[:3] == ["truncated", "class below minimum", "class below minimum"]


def test_the_minimum_is_each_source_s_own():
    table = pl.concat([catalogue({"a": 2}), catalogue({"a": 2}, "t")])
    assert {path[0] for path in kept(reject_small_classes(table, {"s": 3, "t": 2}))} == {"t"}


def test_classes_are_chosen_by_hash_rank_and_a_larger_maximum_keeps_the_earlier_ones():
    names = [f"c{n}" for n in range(8)]
    table = catalogue(dict.fromkeys(names, 2))
    order = sorted(names, key=lambda name: rank_hash(5, "class", "s", name))
    for limit in (1, 3, 8, 9):
        chosen = {path.split("/")[1] for path in kept(reject_extra_classes(table, {"s": limit}, seed=5))}
        assert chosen == set(order[:limit])
    assert reject_extra_classes(table, {}, 0).equals(table)


def test_evaluation_classes_are_not_counted_among_max_classes():
    table = pl.concat([catalogue({"a": 1, "b": 1}), catalogue({"x": 1, "y": 1}, split="val")])
    table = reject_extra_classes(table, {"s": 1}, 0)
    assert table.filter(ACCEPTED)["split"].to_list() == ["train", "val", "val"]


def test_the_cap_keeps_the_images_with_the_lowest_hashes():
    table = catalogue({"a": 9, "b": 2})
    paths = sorted((f"s/a/{n}.jpg" for n in range(9)), key=lambda path: rank_hash(1, "cap", "s", "a", path))
    for cap in (1, 4, 9):
        expected = set(paths[:cap]) | {f"s/b/{n}.jpg" for n in range(min(2, cap))}
        found = kept(reject_over_cap(table, {"s": cap}, seed=1))
        assert {path for path in found if "/a/" in path} == set(paths[:cap])
        assert len(found) == len(expected)


@pytest.mark.parametrize("change", ["reversed", "other class", "other source"])
def test_the_cap_s_choice_depends_on_nothing_else(change):
    table = catalogue({"a": 9})
    plain = kept(reject_over_cap(table, {"s": 3}, 0))
    changed = {
        "reversed": table.reverse(),
        "other class": pl.concat([catalogue({"0": 5}), table]),
        "other source": pl.concat([catalogue({"a": 5}, "r"), table]),
    }[change]
    found = kept(reject_over_cap(changed, {"s": 3}, 0))
    assert {path for path in found if path.startswith("s/a/")} == plain
    assert sum(path.startswith("r/") for path in found) == (5 if change == "other source" else 0)


def test_the_next_image_takes_the_place_of_a_rejected_one():
    table = catalogue({"a": 5})
    first = kept(reject_over_cap(table, {"s": 1}, 0)).pop()
    table = reject_over_cap(reject(table, pl.col("path") == first, "truncated"), {"s": 2}, 0)
    assert len(kept(table)) == 2 and first not in kept(table)


def test_the_cap_is_for_train_only():
    table = catalogue({"a": 5}, split="test")
    assert reject_over_cap(table, {"s": 1}, 0).equals(table)
