import pytest

from benchmarks.losses import OURS, PEER, PRODUCT, WHOLE, build_steps, check_agreement, missed_limits, table


def test_each_limit_can_be_missed():
    seconds = {OURS: [(1.0, 2.0), (1.0, 2.0)], PEER: [(3.1, 2.0), (3.1, 2.0)]}
    memory = {OURS: 100.0, PEER: 400.0, WHOLE: 300.0}
    assert missed_limits(128, seconds, memory) == []
    assert len(missed_limits(128, {**seconds, PEER: [(2.9, 9.0)]}, memory)) == 1
    assert len(missed_limits(128, seconds, memory | {OURS: 140.0})) == 1
    lines = table(10, 128, seconds, memory)
    assert lines[2] == "| in chunks | 1.000 | 2.000 | 3.10 | 1.00 | 100 | 0.25 |"


def test_the_ways_agree_and_a_difference_is_an_error():
    steps = build_steps(50, 4, (OURS, PEER, WHOLE, PRODUCT))
    check_agreement(steps)
    steps[PRODUCT]()
    loss, to_raw, to_centres = steps[OURS]()
    wrong = {**steps, OURS: lambda: (loss * 1.01, to_raw, to_centres)}
    with pytest.raises(SystemExit, match="differ from the peer's"):
        check_agreement(wrong)
