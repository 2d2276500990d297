import json
import math

import pytest

from data_prep.errors import ConfigError
from train.source_results import TrialFile, draw_search, format_table, result_of
from train.source_search import Round, Trial

SETTINGS = {"config": {"name": "x", "stages": (1, 2)}, "n_images_a_training": 100}


def scores(value):
    return {"mMP@5": value, "R@1": 1.0, "mMP@5/cars": value - 0.1, "mMP@5/toys": value + 0.1}


def counting(calls):
    return lambda sources, seed: calls.append((sources, seed)) or scores(seed / 10)


def test_trials_are_run_once_and_other_seeds_are_added(tmp_path):
    calls = []
    path = tmp_path / "out" / "choose_sources.json"
    first = TrialFile(path, SETTINGS).trial(("a",), [1, 2], counting(calls))
    again = TrialFile(path, SETTINGS)
    assert again.trial(("a",), [1, 2], counting(calls)) == first and len(calls) == 2
    more = again.trial(("a",), [1, 2, 3], counting(calls))
    assert calls == [(("a",), 1), (("a",), 2), (("a",), 3)]
    assert math.isclose(more.mean, 0.2) and more.by_seed[:2] == first.by_seed


def test_a_stop_between_two_seeds_loses_one_training_only(tmp_path):
    path = tmp_path / "choose_sources.json"

    def stops(sources, seed):
        if seed == 2:
            raise KeyboardInterrupt
        return scores(0.5)

    with pytest.raises(KeyboardInterrupt):
        TrialFile(path, SETTINGS).trial(("a",), [1, 2], stops)
    calls = []
    TrialFile(path, SETTINGS).trial(("a",), [1, 2], counting(calls))
    assert calls == [(("a",), 2)]


def test_trials_of_other_settings_are_not_mixed(tmp_path):
    path = tmp_path / "choose_sources.json"
    TrialFile(path, SETTINGS).trial(("a",), [1], counting([]))
    with pytest.raises(ConfigError, match=r"run otherwise \(n_images_a_training\); use another --out"):
        TrialFile(path, SETTINGS | {"n_images_a_training": 200})
    path.write_text("[]")
    with pytest.raises(ConfigError, match="not a file of trials"):
        TrialFile(path, SETTINGS)


def trial(names, *values):
    return Trial(tuple(names), tuple(scores(value) for value in values))


ROUNDS = [
    Round("add", {"a": trial("a", 0.4, 0.5), "b": trial("b", 0.3, 0.3)}, "a", None),
    Round("add", {"b": trial("ab", 0.41, 0.43)}, None, -0.03),
]


def test_the_table_says_means_spreads_and_gains():
    assert format_table(ROUNDS).splitlines() == [
        "              mean  spread     gain    cars   toys",
        "   1 * + a  0.4500  0.0707           0.3500 0.5500",
        "   1   + b  0.3000  0.0000           0.2000 0.4000",
        "   2   + b  0.4200  0.0141  -0.0300  0.3200 0.5200",
    ]


def test_the_result_holds_everything_that_was_tried(tmp_path):
    kept = TrialFile(tmp_path / "choose_sources.json", SETTINGS)
    kept.trial(("a",), [1], counting([]))
    kept.save(result_of(ROUNDS, [1, 2], 0.01))
    content = json.loads(kept.path.read_text())
    assert content["chosen"] == ["a"] and math.isclose(content["mMP@5"], 0.45)
    assert content["per_domain"].keys() == {"cars", "toys"}
    assert [one["taken"] for one in content["rounds"]] == ["a", None]
    assert content["rounds"][1]["trials"][0]["changed"] == "b"
    assert TrialFile(kept.path, SETTINGS).scores == {("a",): {1: scores(0.1)}}


def test_the_picture_is_a_png(tmp_path):
    rounds = [Round("start", {"": trial("a", 0.4)}, None, None), *ROUNDS[1:],
              Round("remove", {"a": trial("b", 0.6)}, "a", 0.2)]
    assert draw_search(rounds, tmp_path / "x.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
