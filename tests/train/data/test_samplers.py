"""Batch plans: quotas, passes, purity, groups of one class."""

from collections import Counter

import numpy as np
import pytest

from data_prep.errors import ConfigError
from train.data.samplers import plan_batches, repeat_to_floor

IMAGES = {"cars": np.arange(0, 50), "met": np.arange(50, 80), "toys": np.arange(80, 100)}
STEPS = {"cars": 1, "met": 1, "toys": 3}


def _plan(kind: str, n_steps: int = 20, seed: int = 0, **arguments: object):
    if kind == "specialist_steps":
        arguments = {"steps_by_source": STEPS} | arguments
    return plan_batches(kind, IMAGES, 5, n_steps, seed, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["dataset_size", "mixed", "round_robin", "specialist_steps"])
def test_a_plan_is_a_pure_function_of_its_arguments(kind: str) -> None:
    first, again, other = _plan(kind), _plan(kind), _plan(kind, seed=1)
    assert first.batches.dtype == np.int64
    assert first.batches.shape == (20, 5)
    assert np.array_equal(first.batches, again.batches)
    assert first.sources == again.sources
    assert not np.array_equal(first.batches, other.batches)


@pytest.mark.parametrize("kind", ["dataset_size", "round_robin", "specialist_steps"])
def test_batches_hold_one_source(kind: str) -> None:
    plan = _plan(kind)
    for batch, source in zip(plan.batches, plan.sources, strict=True):
        assert set(batch) <= set(IMAGES[source])


@pytest.mark.parametrize(
    ("n_steps", "expected"),
    [
        (20, {"cars": 10, "met": 6, "toys": 4}),
        (7, {"cars": 4, "met": 2, "toys": 1}),  # 3.5, 2.1, 1.4: the largest remainder takes the seventh
        (1, {"cars": 1}),
        (0, {}),
    ],
)
def test_dataset_size_quotas_follow_the_images_and_sum_exactly(n_steps: int, expected: dict) -> None:
    assert Counter(_plan("dataset_size", n_steps).sources) == expected


def test_specialist_steps_follow_the_given_steps() -> None:
    assert Counter(_plan("specialist_steps", 10).sources) == {"cars": 2, "met": 2, "toys": 6}


def test_quotas_are_spread_over_the_stage() -> None:
    sources = plan_batches("dataset_size", {"a": np.arange(90), "b": np.arange(90, 100)}, 1, 100, 3).sources
    places = [step for step, source in enumerate(sources) if source == "b"]
    assert [place // 10 for place in places] == pytest.approx(list(range(10)), abs=1)
    assert len({place % 10 for place in places}) > 2  # not on a grid


def test_round_robin_takes_turns() -> None:
    assert _plan("round_robin", 5).sources == ["cars", "met", "toys", "cars", "met"]


def test_mixed_has_no_source_and_mixes() -> None:
    plan = _plan("mixed")
    assert plan.sources == [None] * 20
    assert any(len({int(index) // 50 for index in batch}) == 2 for batch in plan.batches)
    assert sorted(plan.batches.ravel()) == list(range(100))  # 20 steps of 5: each image once


@pytest.mark.parametrize("kind", ["dataset_size", "round_robin", "specialist_steps"])
def test_each_image_is_used_once_before_any_is_used_twice(kind: str) -> None:
    plan = _plan(kind, n_steps=100)
    for name, images in IMAGES.items():
        stream = plan.batches[[source == name for source in plan.sources]].ravel()
        passes = [stream[start : start + len(images)] for start in range(0, len(stream), len(images))]
        assert len(passes) > 1
        for one_pass in passes:
            assert len(set(one_pass)) == len(one_pass)
        assert not np.array_equal(passes[0], passes[1])


def test_repeated_entries_count_as_entries() -> None:
    plan = plan_batches("mixed", {"a": np.array([4, 4, 9])}, 3, 2, 0)
    assert [sorted(batch) for batch in plan.batches.tolist()] == [[4, 4, 9], [4, 4, 9]]


def test_another_source_changes_the_turns_but_not_what_a_source_gives() -> None:
    alone = plan_batches("round_robin", {"met": IMAGES["met"]}, 5, 6, 0).batches
    together = plan_batches("round_robin", {"cars": IMAGES["cars"], "met": IMAGES["met"]}, 5, 8, 0).batches
    assert np.array_equal(alone[:4], together[1::2])
    assert not np.array_equal(alone[:4] - 50, together[0::2])


def test_batches_hold_groups_of_one_class() -> None:
    class_ids = np.arange(100) // 4  # 25 classes of 4
    plan = plan_batches("round_robin", IMAGES, 6, 30, 0, images_per_class=2, class_ids=class_ids)
    groups = plan.batches.reshape(30, 3, 2)
    assert (class_ids[groups[:, :, 0]] == class_ids[groups[:, :, 1]]).all()
    assert (groups[:, :, 0] != groups[:, :, 1]).all()
    cars = class_ids[groups[::3, :, 0].ravel()[:24]]  # one pass over the 13 classes of cars, two groups each
    assert not (np.diff(cars) >= 0).all()
    assert not (np.diff(cars) <= 0).all()


def test_short_groups_are_filled_from_their_own_class() -> None:
    class_ids = np.array([0, 0, 0, 1, 2, 2])
    plan = plan_batches("mixed", {"a": np.arange(6)}, 8, 1, 0, images_per_class=2, class_ids=class_ids)
    groups = plan.batches.reshape(4, 2)
    assert (class_ids[groups[:, 0]] == class_ids[groups[:, 1]]).all()
    counts = Counter(plan.batches.ravel().tolist())
    assert set(counts) == set(range(6))
    assert counts[3] == 2  # class 1 has one image, used twice
    assert sorted(counts[i] for i in (0, 1, 2)) == [1, 1, 2]
    assert (counts[4], counts[5]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "random"}, "'random'; known: dataset_size, mixed, round_robin, specialist_steps"),
        ({"images_by_source": {"a": np.arange(3), "b": np.arange(0)}}, "no training images in b"),
        ({"images_by_source": {}}, "none was given"),
        ({"batch_size": 0}, "got 0 and 4"),
        ({"n_steps": -1}, "n_steps >= 0"),
        ({"images_per_class": 2}, "without class ids"),
        ({"images_per_class": 4, "class_ids": np.zeros(3, int)}, "got 4 for a batch of 6"),
        ({"steps_by_source": {"a": 3}}, "sampler dataset_size: steps_by_source belongs to specialist_steps"),
        ({"kind": "mixed", "steps_by_source": {"a": 3}}, "steps_by_source belongs"),
        ({"kind": "specialist_steps"}, "steps_by_source"),
        ({"kind": "specialist_steps", "steps_by_source": {"b": 3}}, r"each of a; got \{'b': 3\}"),
        ({"kind": "specialist_steps", "steps_by_source": {"a": 0}}, "1 or more steps"),
    ],
)
def test_plans_that_cannot_be_made(changes: dict, message: str) -> None:
    arguments = {
        "kind": "dataset_size",
        "images_by_source": {"a": np.arange(3)},
        "batch_size": 6,
        "n_steps": 4,
        "seed": 0,
    }
    with pytest.raises(ConfigError, match=message):
        plan_batches(**(arguments | changes))


def test_rare_classes_are_repeated_up_to_the_floor() -> None:
    class_ids = np.array([5, 9, 5, 2, 9, 9, 9])
    indices = repeat_to_floor(class_ids, floor=3)
    assert indices.tolist() == [0, 0, 1, 2, 3, 3, 3, 4, 5, 6]
    assert Counter(class_ids[indices].tolist()) == {5: 3, 9: 4, 2: 3}


@pytest.mark.parametrize("floor", [0, 1])
def test_a_floor_of_one_repeats_nothing(floor: int) -> None:
    assert repeat_to_floor(np.array([3, 3, 1]), floor).tolist() == [0, 1, 2]


def test_repeat_of_nothing() -> None:
    assert repeat_to_floor(np.array([], dtype=np.int64), 5).tolist() == []
