import numpy as np
import pytest

from train.data.loss_sampler import plan_round, steps_by_loss
from train.data.samplers import plan_batches

NAN = float("nan")
IMAGES = {"a": np.arange(10), "b": np.arange(10, 17)}


@pytest.mark.parametrize("losses, n_batches, expected", [
    ([[NAN, NAN, NAN]], [6], [[2, 2, 2]]),
    ([[3.0, 1.0, 4.0]], [6, 8], [[2, 2, 2], [3, 1, 4]]),
    # Only the round before counts.
    ([[3.0, 1.0, 4.0], [1.0, 2.0, 1.0]], [6, 8, 4], [[2, 2, 2], [3, 1, 4], [1, 2, 1]]),
    # The third had no batch in the second round: it keeps 2/8, the others share 1 as 3 to 1; all over 1 + 2/8.
    ([[3.0, 3.0, 2.0], [3.0, 1.0, NAN]], [3, 2, 20], [[1, 1, 1], [1, 1, 0], [12, 4, 4]]),
    # Nothing to learn anywhere: shares stay.
    ([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0]], [3, 4, 8], [[1, 1, 1], [1, 2, 1], [2, 4, 2]]),
])
def test_shares_by_hand(losses, n_batches, expected):
    steps = steps_by_loss(np.array(losses, np.float32), n_batches)
    assert steps.tolist() == expected


def rounds_of(steps, batch_size=4, seed=5, **groups):
    steps = np.array(steps)
    return [plan_round(IMAGES, steps[: n + 1], batch_size, seed, **groups) for n in range(len(steps))]


def test_a_source_goes_on_where_the_rounds_before_left_it():
    steps = [[2, 1], [1, 3], [0, 2], [3, 0]]
    rounds = rounds_of(steps)
    assert [len(r) for r in rounds] == [3, 4, 2, 3]
    everything = np.concatenate(rounds)
    for name, column in (("a", 0), ("b", 1)):
        own = everything[np.isin(everything[:, 0], IMAGES[name])]
        whole = plan_batches("round_robin", {name: IMAGES[name]}, 4, sum(row[column] for row in steps), 5).batches
        assert own.tolist() == whole.tolist()
    assert all(np.isin(row, IMAGES["a"]).all() or np.isin(row, IMAGES["b"]).all() for row in everything)


def test_rounds_have_their_own_order_and_follow_the_seed():
    is_a = [[bool(row[0] < 10) for row in r] for r in rounds_of([[6, 6], [6, 6]])]
    assert sum(is_a[0]) == sum(is_a[1]) == 6 and is_a[0] != is_a[1]
    first, same, other = (rounds_of([[6, 6]], seed=seed)[0].tolist() for seed in (5, 5, 6))
    assert first == same != other


def test_groups_of_one_class_stay_together():
    class_ids = np.arange(17) // 3
    for batches in rounds_of([[2, 1], [1, 2]], class_ids=class_ids, images_per_class=2):
        pairs = class_ids[batches].reshape(-1, 2)
        assert (pairs[:, 0] == pairs[:, 1]).all()
