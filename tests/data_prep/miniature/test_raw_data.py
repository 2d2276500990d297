from collections import Counter

import pytest

from data_prep.miniature.raw_data import (
    DEFECTS,
    N_CLASSES,
    Photo,
    design_streams,
    family_of,
    lines,
    n_classes,
    n_train_classes,
    photo_stream,
    stream,
    with_defects,
)


def photos(n=40, per_class=5):
    """The first half of the classes in train, the others in test."""
    return [
        Photo(f"{k}-{view}.jpg", str(k), k, view, "home", "train" if k < n // 2 else "test")
        for k in range(n)
        for view in range(per_class)
    ]


def test_of_six_items_three_two_and_one_are_siblings():
    assert sorted(Counter(map(family_of, range(60))).values()) == [1] * 10 + [2] * 10 + [3] * 10
    assert all(family_of(item) <= family_of(item + 1) for item in range(60))


def test_streams_are_their_own():
    draws = {
        stream(seed, source, item, view).random()
        for seed in (0, 1)
        for source in ("met", "gldv2")
        for item in (0, 1)
        for view in (0, 1)
    }
    assert len(draws) == 16
    assert stream(3, "met", 1).random() == stream(3, "met", 1).random()


def test_siblings_share_the_family_stream_only():
    (family, own), (same_family, other_own), (stranger, _) = (
        design_streams(0, "met", item) for item in (0, 1, 5)
    )
    assert family.random() == same_family.random() != stranger.random()
    assert own.random() != other_own.random()
    first, second = (photo_stream(0, "met", Photo("a", "0", 0, view, "visitor")) for view in (0, 1))
    assert first.random() != second.random()


@pytest.mark.parametrize("source", DEFECTS)
def test_each_defect_falls_on_a_class_of_its_own(source):
    before = photos()
    after = with_defects(before, source, seed=1)
    assert [photo.path for photo in after] == [photo.path for photo in before]
    changed = [(old, new) for old, new in zip(before, after) if old != new]
    found = Counter(new.defect or ("duplicate" if new.item == old.item else "leaked") for old, new in changed)
    assert found == DEFECTS[source]
    assert len({new.class_key for _, new in changed}) == len(changed)
    assert with_defects(before, source, seed=1) == after


def test_a_duplicate_is_another_picture_of_its_class_and_a_leak_is_a_test_picture_in_train():
    before = photos()
    for old, new in zip(before, with_defects(before, "stanford_products", seed=2)):
        if old.item != new.item:
            assert old.split == "train" and new.item >= 20
            assert any(photo.item == new.item and photo.view == new.view for photo in before)
        elif old.view != new.view:
            assert 0 <= new.view < 5


def test_sizes():
    assert n_classes("met", 1.0) == N_CLASSES["met"] == 78
    assert n_classes("met", 0.001) == 18 and n_train_classes("met", 0.001) == 12
    assert all(n_classes(source, 10.0) == 10 * N_CLASSES[source] for source in N_CLASSES)


def test_lines_end_with_a_newline():
    assert lines("a b", ["1 2", "3 4"]) == b"a b\n1 2\n3 4\n"


def test_the_defects_of_the_whole_world():
    """What a build of the sample world turns away: 3 empty, 5 truncated, 10 missing, 3 duplicates, 1 leak."""
    total = sum((Counter(kinds) for kinds in DEFECTS.values()), Counter())
    assert total == {
        "missing": 10,
        "truncated": 5,
        "empty": 3,
        "duplicate": 3,
        "leaked": 1,
        "grey": 6,
        "cmyk": 2,
        "png": 2,
    }
