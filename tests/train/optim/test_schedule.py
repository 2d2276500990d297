"""Learning-rate factors at counts that can be checked by hand."""

import math
import pickle

import pytest

from data_prep.errors import ConfigError
from train.optim.schedule import build_schedule, warmup_cosine


def test_cosine_by_hand() -> None:
    assert warmup_cosine(0, 1000, 200) == 0.0
    assert warmup_cosine(50, 1000, 200) == 0.25
    assert warmup_cosine(200, 1000, 200) == 1.0
    assert warmup_cosine(400, 1000, 200) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))
    assert warmup_cosine(600, 1000, 200, final_scale=0.2) == pytest.approx(0.6)
    assert warmup_cosine(1000, 1000, 200, final_scale=0.2) == pytest.approx(0.2)


def test_cosine_stays_at_its_end() -> None:
    assert warmup_cosine(2000, 1000, 0, final_scale=0.1) == pytest.approx(0.1)


def test_cosine_without_warmup_starts_at_one() -> None:
    assert build_schedule("cosine", n_images=10)(0) == 1.0


def test_warmup_over_the_whole_stage() -> None:
    factor = build_schedule("cosine", n_images=10, warmup_images=10)
    assert [factor(5), factor(10)] == [0.5, 1.0]


def test_constant() -> None:
    factor = build_schedule("constant", n_images=100, warmup_images=10)
    assert [factor(count) for count in (0, 5, 10, 99, 1000)] == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_step_drops_at_its_counts() -> None:
    factor = build_schedule("step", n_images=60, warmup_images=10, drop_at_images=(20, 40), drop_factor=0.1)
    counts = (5, 10, 19, 20, 39, 40, 60)
    assert [factor(count) for count in counts] == pytest.approx([0.5, 1.0, 1.0, 0.1, 0.1, 0.01, 0.01])


def test_schedules_travel_to_other_processes() -> None:
    factor = build_schedule("step", n_images=60, drop_at_images=(20,))
    assert pickle.loads(pickle.dumps(factor))(30) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "linear", "n_images": 10}, "'linear'; known: constant, cosine, step"),
        ({"kind": "cosine", "n_images": 10, "warmup_images": 11}, "got 11 and 10"),
        ({"kind": "cosine", "n_images": 0}, "got 0 and 0"),
        ({"kind": "step", "n_images": 10}, "drops must rise"),
        ({"kind": "step", "n_images": 10, "drop_at_images": (6, 3)}, "drops must rise"),
        ({"kind": "step", "n_images": 10, "drop_at_images": (3, 10)}, "within the stage's 10 images"),
        (
            {"kind": "step", "n_images": 10, "drop_at_images": (3,), "drop_factor": 1.5},
            "between 0 and 1, got 1.5",
        ),
    ],
)
def test_contradictions_are_errors(arguments: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_schedule(**arguments)
