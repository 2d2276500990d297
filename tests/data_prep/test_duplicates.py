import polars as pl

from data_prep.catalogue import make_catalogue, reject
from data_prep.duplicates import reject_duplicates, reject_leaks
from data_prep.sources.source import source_rows


def catalogue(rows, source="s"):
    """Rows are (path, class_key, sha256, split, role)."""
    paths, keys, hashes, splits, roles = zip(*rows, strict=True)
    table = source_rows(keys, paths, splits, roles)
    return make_catalogue(table, source, "d", ".").with_columns(sha256=pl.Series(hashes, dtype=pl.String))


def reasons(table):
    return dict(table.select("path", "reject_reason").iter_rows())


def test_one_copy_stays_inside_a_class():
    table = reject_duplicates(
        catalogue([(p, "1", h, "", "") for p, h in (("c", "x"), ("a", "x"), ("b", "y"))])
    )
    assert reasons(table) == {"c": "duplicate in class", "a": None, "b": None}
    assert table["reject_detail"].to_list() == ["same bytes as a", None, None]


def test_the_index_image_stays_before_the_smaller_path():
    table = reject_duplicates(catalogue([("a", "1", "x", "test", "query"), ("b", "1", "x", "test", "index")]))
    assert reasons(table) == {"a": "duplicate in class", "b": None}


def test_a_picture_in_two_classes_goes_altogether():
    table = reject_duplicates(
        catalogue([("a", "1", "x", "", ""), ("b", "2", "x", "", ""), ("c", "2", "y", "", "")])
    )
    assert reasons(table) == {"a": "duplicate across classes", "b": "duplicate across classes", "c": None}
    assert table["reject_detail"][0] == "same bytes in classes 1, 2"


def test_rejected_rows_neither_count_nor_change():
    table = catalogue([("a", "1", "x", "", ""), ("b", "2", "x", "", ""), ("c", "1", "x", "", "")])
    table = reject_duplicates(reject(table, pl.col("path").is_in(["a", "b"]), "animated"))
    assert reasons(table) == {"a": "animated", "b": "animated", "c": None}


def test_files_without_a_hash_are_not_each_other_s_duplicates():
    table = catalogue([("a", "1", None, "", ""), ("b", "1", None, "", ""), ("c", "2", None, "", "")])
    assert reject_leaks(reject_duplicates(table)).equals(table)


def test_copies_in_different_splits_are_left_to_the_leak_guard():
    table = reject_duplicates(catalogue([("a", "1", "x", "train", ""), ("b", "2", "x", "test", "both")]))
    assert reasons(table) == {"a": None, "b": None}


def test_the_train_side_of_a_leak_goes_then_the_val_side():
    table = catalogue(
        [("a", "1", "x", "train", ""), ("b", "2", "x", "val", "both"), ("c", "3", "y", "train", "")]
    )
    other = catalogue([("d", "1", "x", "test", "both"), ("e", "4", "z", "val", "both")], "other")
    table = reject_leaks(pl.concat([table, other]))
    leak = "same picture in an evaluation split"
    assert reasons(table) == {"a": leak, "b": leak, "c": None, "d": None, "e": None}
    assert table["reject_detail"][0] == "same bytes as test: d"


def test_a_rejected_evaluation_image_protects_nothing():
    table = catalogue([("a", "1", "x", "train", ""), ("b", "2", "x", "test", "both")])
    table = reject_leaks(reject(table, pl.col("path") == "b", "too long"))
    assert reasons(table) == {"a": None, "b": "too long"}


def test_two_boxes_of_one_file_are_two_pictures_and_one_box_of_two_copies_is_one():
    table = reject_duplicates(
        catalogue([(p, "1", "x", "", "") for p in ("a#box=0,0,5,5", "a#box=5,0,9,9", "b#box=0,0,5,5", "b#box=0,0,5,6")])
    )
    assert reasons(table) == {
        "a#box=0,0,5,5": None, "a#box=5,0,9,9": None, "b#box=0,0,5,5": "duplicate in class", "b#box=0,0,5,6": None,
    }  # fmt: skip
    table = reject_duplicates(catalogue([("a#box=0,0,5,5", "1", "x", "", ""), ("b#box=0,0,5,5", "2", "x", "", "")]))
    assert set(reasons(table).values()) == {"duplicate across classes"}


def test_a_box_leaks_into_the_same_box_and_into_the_whole_file_but_not_into_another_box():
    leaked = "same picture in an evaluation split"
    rows = [("a#box=0,0,5,5", "1", "x", "train", ""), ("a#box=5,0,9,9", "1", "x", "train", "")]
    box, other = reject_leaks(catalogue([*rows, ("b#box=0,0,5,5", "1", "x", "test", "both")]))["reject_reason"][:2]
    assert (box, other) == (leaked, None)
    whole = reject_leaks(catalogue([*rows, ("b", "1", "x", "test", "both")]))
    assert whole["reject_reason"].to_list() == [leaked, leaked, None]
    assert whole["reject_detail"][0] == "same bytes as test: b"
    trained = reject_leaks(catalogue([("a", "1", "x", "train", ""), ("b#box=0,0,5,5", "1", "x", "test", "both")]))
    assert trained["reject_reason"].to_list() == [leaked, None]
