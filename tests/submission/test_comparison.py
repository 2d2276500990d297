"""Which run is better: differences by hand, verdicts, and what is not compared."""

import copy
import doctest

import polars as pl
import pytest

from data_prep.errors import ConfigError
from submission import comparison
from submission.comparison import check_same_evaluation, compare_runs, verdict_in_words
from submission.query_scores import SCHEMA, ScoredRun


def scored_run(name, values_by_domain):
    """A run whose queries score these values in all three metrics."""
    rows = [(f"{domain}-{n}", domain, value) for domain, values in values_by_domain.items()
            for n, value in enumerate(values)]
    ids, domains, values = zip(*rows)
    columns = {"id": ids, "domain": domains, "class_keys": [["c"]] * len(rows), "n_matches": [5] * len(rows),
               "mMP@5": values, "R@1": values, "mAP@100": values}
    means = {domain: sum(some) / len(some) for domain, some in values_by_domain.items()}
    keys = ("mMP@5", "R@1", "mAP@100")
    record = dict.fromkeys(keys, sum(means.values()) / len(means))
    record["per_domain"] = {domain: dict.fromkeys(keys, mean) for domain, mean in means.items()}
    record |= {"protocol": "ours", "index": "merged", "data_sha256": "d" * 64, "images_sha256": "i" * 64,
               "image_source": {"kind": "shards", "path": "shards/x", "split": "test"}, "model_sha256": name * 64}
    return ScoredRun(name, record, pl.DataFrame(columns, schema=SCHEMA))


def test_doctests_run_and_hold():
    result = doctest.testmod(comparison)
    assert result.attempted >= 2 and result.failed == 0


def test_differences_by_hand():
    first = scored_run("a", {"cars": [0.2, 0.4], "toys": [1.0, 1.0, 0.4]})
    second = scored_run("b", {"cars": [0.4, 0.6], "toys": [1.0, 0.6, 0.4]})
    found = compare_runs(first, second)
    cars, toys, mean = (row["mMP@5"] for row in (*found["per_domain"].values(), found["mean"]))
    assert (cars["a"], cars["b"], cars["difference"]) == pytest.approx((0.3, 0.5, 0.2))
    assert (cars["low"], cars["high"]) == pytest.approx((0.2, 0.2))  # both queries gain the same
    assert (cars["verdict"], cars["share_better"], cars["n_queries"], cars["n_changed"]) == ("better", 1.0, 2, 2)
    assert (toys["difference"], toys["n_changed"]) == (pytest.approx(-0.4 / 3), 1)
    assert (toys["low"], toys["high"], toys["verdict"]) == (pytest.approx(-0.4), 0.0, "not told apart")
    assert mean["difference"] == pytest.approx((0.2 - 0.4 / 3) / 2)
    assert (mean["low"], mean["high"]) == pytest.approx(((0.2 - 0.4) / 2, 0.1))
    assert found["verdict"] == mean["verdict"] == "not told apart"
    # 8 of 27 drawings of three toys miss the one that lost; with one loss the mean is still (0.2 - 0.4 / 3) / 2 > 0,
    # in 12 of 27; with two, 0.2 - 0.8 / 3 is below zero.
    assert mean["share_better"] == pytest.approx(20 / 27, abs=0.03)
    assert [found[run]["name"] for run in "ab"] == ["a", "b"]


def test_the_order_of_the_queries_does_not_matter_and_turning_the_runs_round_turns_the_sign():
    first = scored_run("a", {"cars": [0.2, 0.4, 0.0], "toys": [1.0, 0.8]})
    second = scored_run("b", {"cars": [0.4, 0.4, 0.6], "toys": [1.0, 0.6]})
    shuffled = ScoredRun("b", second.record, second.queries.reverse())
    assert compare_runs(first, second) == compare_runs(first, shuffled)
    there, back = (compare_runs(*runs)["mean"]["R@1"] for runs in ((first, second), (second, first)))
    assert (back["difference"], back["low"], back["high"]) == pytest.approx(
        (-there["difference"], -there["high"], -there["low"])
    )


def test_a_run_does_not_differ_from_itself():
    first = scored_run("a", {"cars": [0.2, 0.4], "toys": [1.0]})
    found = compare_runs(first, scored_run("b", {"cars": [0.2, 0.4], "toys": [1.0]}))
    assert found["verdict"] == "the same"
    assert {row["mMP@5"]["difference"] for row in found["per_domain"].values()} == {0.0}
    said = verdict_in_words(found["mean"]["mMP@5"], "a", "b")
    assert said == "no difference: every query scores the same under a and b"


@pytest.mark.parametrize(("gain", "verdict", "said"), [
    (0.1, "better", "b is better than a: +0.100"), (-0.1, "worse", "b is worse than a: -0.100"),
])
def test_an_interval_beside_zero_decides(gain, verdict, said):
    values = [0.2, 0.4, 0.6, 0.8]
    found = compare_runs(scored_run("a", {"toys": values}), scored_run("b", {"toys": [v + gain for v in values]}))
    assert found["verdict"] == verdict
    assert verdict_in_words(found["mean"]["mMP@5"], "a", "b").startswith(said)


def changed(run, **changes):
    return ScoredRun(run.name, copy.deepcopy(run.record) | changes, run.queries)


@pytest.mark.parametrize(("changes", "said"), [
    ({"images_sha256": "0" * 64}, r"other images.*--shards.*a: shards/x, split test \(iiiiiiiiiiii\)"),
    ({"protocol": "uned-reference"}, r"another protocol.*b: shards/x, split test \(uned-referen"),
    ({"index": "separate"}, "another index"),
    ({"image_source": {"kind": "table", "path": "images.csv"}, "data_sha256": "0" * 64}, "another table"),
])
def test_runs_that_were_scored_otherwise_are_refused(changes, said):
    first, second = scored_run("a", {"toys": [1.0]}), changed(scored_run("b", {"toys": [1.0]}), **changes)
    with pytest.raises(ConfigError, match=said):
        compare_runs(first, second)
    with pytest.raises(ConfigError, match=said):
        check_same_evaluation(first, "b", second.record)


def test_shards_with_another_manifest_but_the_same_test_images_are_compared():
    first, second = scored_run("a", {"toys": [1.0]}), scored_run("b", {"toys": [1.0]})
    assert compare_runs(first, changed(second, data_sha256="0" * 64))["verdict"] == "the same"


def test_other_queries_are_refused():
    first, second = scored_run("a", {"toys": [1.0, 0.0]}), scored_run("b", {"toys": [1.0, 0.0]})
    fewer = ScoredRun("b", second.record, second.queries[:1])
    with pytest.raises(ConfigError, match="not the same queries: 1 are in one of them only, the first is toys-1"):
        compare_runs(first, fewer)
    relabelled = second.queries.with_columns(class_keys=pl.Series([["c"], ["d"]]))
    with pytest.raises(ConfigError, match="not the same queries: 2 are in one"):
        compare_runs(first, ScoredRun("b", second.record, relabelled))
    twice = ScoredRun("b", second.record, pl.concat([second.queries, second.queries[:1]]))
    with pytest.raises(ConfigError, match="some occur more often"):
        compare_runs(first, twice)
