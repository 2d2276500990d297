"""Learning-rate factors at counts that can be checked by hand."""

import doctest
import math
import pickle

import pytest

from data_prep.errors import ConfigError
from train.optim import schedule
from train.optim.schedule import Schedule


def factors(made: Schedule, *counts: float) -> list[float]:
    return [made(count) for count in counts]


def test_the_examples_in_the_docstring() -> None:
    assert doctest.testmod(schedule).attempted >= 4 and doctest.testmod(schedule).failed == 0


def test_cosine_by_hand() -> None:
    plain = Schedule("cosine", 1000, 200)
    assert factors(plain, 0, 50, 200) == [0.0, 0.25, 1.0]
    assert plain(400) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))
    assert factors(Schedule("cosine", 1000, 200, final_scale=0.2), 600, 1000) == pytest.approx([0.6, 0.2])


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_what_falls_stays_at_its_end(kind: str) -> None:
    assert Schedule(kind, 1000, final_scale=0.1)(2000) == pytest.approx(0.1)


def test_without_warmup_the_first_factor_is_one() -> None:
    for kind, options in (("cosine", {}), ("linear", {}), ("constant", {}), ("exponential", {"drop_every_images": 3})):
        assert Schedule(kind, n_images=10, **options)(0) == 1.0


def test_linear_by_hand() -> None:
    # Warm-up over 20, then 80 images down to 0.2: a quarter of the way has lost a quarter of 0.8.
    made = Schedule("linear", 100, 20, final_scale=0.2)
    assert factors(made, 10, 20, 40, 60, 100) == pytest.approx([0.5, 1.0, 0.8, 0.6, 0.2])


def test_exponential_drops_a_factor_each_mini_epoch_after_the_warmup() -> None:
    # 3rd place: a straight rise, then x0.93 each mini-epoch.
    made = Schedule("exponential", 100, 20, drop_every_images=10, drop_factor=0.93)
    assert factors(made, 10, 20, 29, 30, 45) == pytest.approx([0.5, 1.0, 1.0, 0.93, 0.93**2])


def test_warmup_starts_where_it_is_told() -> None:
    # 2nd place: from 1 % to the whole rate; half way is 50.5 %.
    assert factors(Schedule("cosine", 1000, 200, 0.01), 0, 100, 200) == pytest.approx([0.01, 0.505, 1.0])


def test_warmup_over_the_whole_stage() -> None:
    assert factors(Schedule("cosine", 10, 10), 5, 10) == [0.5, 1.0]


def test_constant() -> None:
    assert factors(Schedule("constant", 100, 10), 0, 5, 10, 99, 1000) == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_step_drops_at_its_counts() -> None:
    made = Schedule("step", n_images=60, warmup_images=10, drop_at_images=(20, 40), drop_factor=0.1)
    assert factors(made, 5, 10, 19, 20, 39, 40, 60) == pytest.approx([0.5, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01])


def test_schedules_travel_to_other_processes() -> None:
    made = Schedule("step", n_images=60, drop_at_images=(20,))
    assert pickle.loads(pickle.dumps(made))(30) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "wave", "n_images": 10}, "'wave'; known: constant, cosine, exponential, linear, step"),
        ({"kind": "cosine", "n_images": 10, "warmup_images": 11}, "got 11 and 10"),
        ({"kind": "cosine", "n_images": 0}, "got 0 and 0"),
        ({"kind": "step", "n_images": 10}, "drops must rise"),
        ({"kind": "step", "n_images": 10, "drop_at_images": (6, 3)}, "drops must rise"),
        ({"kind": "step", "n_images": 10, "drop_at_images": (3, 10)}, "within the stage's 10 images"),
        ({"kind": "step", "n_images": 10, "drop_at_images": (3,), "drop_factor": 1.5}, "between 0 and 1, got 1.5"),
        ({"kind": "exponential", "n_images": 10}, "between drops must be positive, got None"),
        ({"kind": "exponential", "n_images": 10, "drop_every_images": 2, "drop_factor": 1.0}, "0 and 1, got 1.0"),
    ],
)
def test_contradictions_are_errors(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Schedule(**arguments)
