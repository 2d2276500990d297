import math

import pytest

from train.source_search import Round, Trial, chosen_trial, search_sources

# mMP@5 of every choice of three sources: a and b help each other, noise always costs.
TABLE = {
    "a": 0.50, "b": 0.40, "n": 0.10, "ab": 0.60, "an": 0.45, "bn": 0.30, "abn": 0.55,
}


def trial(sources, *scores):
    return Trial(tuple(sources), tuple({"mMP@5": score} for score in scores))


class Table:
    """Answers from a table and notes what was asked."""

    def __init__(self, table):
        self.table = table
        self.asked = []

    def __call__(self, sources):
        self.asked.append("".join(sources))
        return trial(sources, self.table["".join(sources)])


def test_mean_and_spread_by_hand():
    one = Trial(("a",), ({"mMP@5": 0.1, "mMP@5/x": 1.0}, {"mMP@5": 0.3, "mMP@5/x": 0.0}))
    assert math.isclose(one.mean, 0.2) and math.isclose(one.mean_of("mMP@5/x"), 0.5)
    assert math.isclose(one.spread, math.sqrt(0.01 + 0.01))  # n - 1 = 1
    assert trial("a", 0.5).spread is None


def test_one_source_after_the_other_and_noise_is_left_out():
    table = Table(TABLE)
    rounds = search_sources("nba", (), table)
    assert table.asked == ["a", "b", "n", "ab", "an", "abn"]
    assert [(one.kind, one.taken) for one in rounds] == [("add", "a"), ("add", "b"), ("add", None)]
    assert rounds[0].gain is None and math.isclose(rounds[1].gain, 0.1) and math.isclose(rounds[2].gain, -0.05)
    assert chosen_trial(rounds).sources == ("a", "b")


@pytest.mark.parametrize("min_gain, expected", [(0.0, "ab"), (0.09, "ab"), (0.11, "a"), (1.0, "a")])
def test_a_gain_below_the_wanted_ends_it(min_gain, expected):
    assert "".join(chosen_trial(search_sources("abn", (), Table(TABLE), min_gain)).sources) == expected


def test_an_equal_score_is_no_gain():
    rounds = search_sources("ab", (), Table({"a": 0.5, "b": 0.4, "ab": 0.5}))
    assert chosen_trial(rounds).sources == ("a",)


def test_from_given_sources():
    table = Table(TABLE)
    rounds = search_sources("abn", ("n", "a"), table)
    assert table.asked == ["an", "abn"] and rounds[0] == Round("start", {"": trial("an", 0.45)}, None, None)
    assert chosen_trial(rounds).sources == ("a", "b", "n")


def test_a_start_that_nothing_improves_stays():
    rounds = search_sources("abn", "ab", Table(TABLE))
    assert chosen_trial(rounds).sources == ("a", "b") and rounds[-1].taken is None


def test_removing_finds_what_adding_alone_cannot():
    table = Table(TABLE)
    rounds = search_sources("abn", "an", table, removing=True)
    # add b (0.55); removing: without a 0.30, without n 0.60 (never b, just added); then nothing helps.
    assert table.asked == ["an", "abn", "bn", "ab", "abn", "b", "a"]
    assert [(one.kind, one.taken) for one in rounds] == [
        ("start", None), ("add", "b"), ("remove", "n"), ("add", None), ("remove", None)]
    assert chosen_trial(rounds).sources == ("a", "b")


def test_the_last_source_is_never_removed():
    table = Table({"a": 0.5})
    assert chosen_trial(search_sources("a", "a", table, removing=True)).sources == ("a",) and table.asked == ["a"]


def test_ties_go_to_the_first_by_name():
    assert search_sources("ba", (), Table({"a": 0.5, "b": 0.5, "ab": 0.1}))[0].taken == "a"
