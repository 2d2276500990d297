"""Is run b better than run a? The same queries, their scores subtracted, the queries drawn again."""

from dataclasses import asdict

import polars as pl

from data_prep.errors import ConfigError
from submission.query_scores import ScoredRun
from train.retrieval.paired import Difference, paired_bootstrap
from train.retrieval.protocol import SCORE_KEYS

MEAN = "mean of domains"
VERDICTS = ("better", "worse", "not told apart", "the same")  # of b
_N_RESAMPLES = 4000
_KEY = ["id", "domain", "classes", "n_matches"]  # of a query


def compare_runs(first: ScoredRun, second: ScoredRun) -> dict:
    """Content of `compare.json`: b = `second` minus a = `first`, by paired bootstrap within domains.

    `per_domain`: domain -> SCORE_KEYS -> {a, b, difference, low, high, share_better, n_queries, n_changed, verdict};
    `mean`: the same of the mean of the domains. Of the metrics mMP@5 decides `verdict`.

    Raises:
        ConfigError: the runs were not scored on the same queries and index in the same way.
    """
    check_same_evaluation(first, second.name, second.record)
    tables = [_sorted_by_key(run.queries) for run in (first, second)]
    _check_same_queries(first.name, second.name, *(table.select(_KEY) for table in tables))
    scores = [table.select(SCORE_KEYS).to_numpy() for table in tables]
    domains = tables[0]["domain"].to_numpy()
    per_domain, mean = paired_bootstrap(scores[1] - scores[0], domains, _N_RESAMPLES)
    described = {
        domain: {
            key: _describe(first.record["per_domain"][domain][key], second.record["per_domain"][domain][key], found)
            for key, found in zip(SCORE_KEYS, differences, strict=True)
        }
        for domain, differences in per_domain.items()
    }
    overall = {
        key: _describe(first.record[key], second.record[key], found)
        for key, found in zip(SCORE_KEYS, mean, strict=True)
    }
    return {
        "format": 1,
        "a": {"name": first.name, "model_sha256": first.record["model_sha256"]},
        "b": {"name": second.name, "model_sha256": second.record["model_sha256"]},
        "data_sha256": second.record["data_sha256"],
        "images_sha256": second.record["images_sha256"],
        "n_resamples": _N_RESAMPLES,
        "per_domain": described,
        "mean": overall,
        "verdict": overall["mMP@5"]["verdict"],
    }


def check_same_evaluation(first: ScoredRun, second_name: str, second: dict) -> None:
    """Raise ConfigError unless both were scored on the same images and labels, by the same protocol and index.

    Args:
        first: the run that is compared with.
        second_name: what the other is called.
        second: its `protocol`, `index`, `image_source`, `data_sha256` and `images_sha256`.
    """
    # Of shards, the images' hash covers the labels too (they lie in the same files), and the manifest may differ in
    # what was trained on. A table holds the labels itself.
    keys = ["protocol", "index", "images_sha256"]
    if "table" in (first.record["image_source"]["kind"], second["image_source"]["kind"]):
        keys.append("data_sha256")
    for key in keys:
        got, expected = first.record[key], second[key]
        if got != expected:
            what = {"images_sha256": "other images", "data_sha256": "another table"}.get(key, f"another {key}")
            sources = ", ".join(
                f"{name}: {record['image_source']['path']}{_split_of(record)} ({str(record[key])[:12]})"
                for name, record in ((first.name, first.record), (second_name, second))
            )
            raise ConfigError(
                f"{first.name} and {second_name} were scored on {what}, which says nothing about which is better; "
                f"validate both with the same --shards, --split, --protocol and --index; {sources}"
            )


def verdict_in_words(found: dict, first_name: str, second_name: str) -> str:
    """One sentence about a difference, as `compare.json` holds it.

    >>> found = {"difference": 0.02, "low": 0.01, "high": 0.03, "share_better": 1.0, "verdict": "better"}
    >>> verdict_in_words(found, "a", "b")
    'b is better than a: +0.020, 95 % interval +0.010 .. +0.030; ahead in 100 % of the resamples'
    """
    interval = f"95 % interval {found['low']:+.3f} .. {found['high']:+.3f}"
    share = f"ahead in {100 * found['share_better']:.0f} % of the resamples"
    match found["verdict"]:
        case "the same":
            return f"no difference: every query scores the same under {first_name} and {second_name}"
        case "not told apart":
            return (
                f"not told apart: {second_name} minus {first_name} is {found['difference']:+.3f}, {interval}; "
                f"{second_name} is {share}"
            )
        case verdict:
            return f"{second_name} is {verdict} than {first_name}: {found['difference']:+.3f}, {interval}; {share}"


def _split_of(record: dict) -> str:
    split = record["image_source"].get("split")
    return f", split {split}" if split else ""


def _sorted_by_key(queries: pl.DataFrame) -> pl.DataFrame:
    return queries.with_columns(classes=pl.col("class_keys").list.join("|")).sort(_KEY)


def _check_same_queries(first_name: str, second_name: str, first: pl.DataFrame, second: pl.DataFrame) -> None:
    """The hashes agree by now: what could differ is how a version of this project reads the same files."""
    if first.equals(second):
        return
    odd = pl.concat([first.join(second, on=_KEY, how="anti"), second.join(first, on=_KEY, how="anti")])
    named = f"{len(odd)} are in one of them only, the first is {odd['id'][0]}" if len(odd) else "some occur more often"
    raise ConfigError(f"{first_name} and {second_name}: not the same queries: {named}; validate both again")


def _describe(first_score: float, second_score: float, found: Difference) -> dict:
    return {"a": first_score, "b": second_score, **asdict(found), "verdict": _judge(found)}


def _judge(found: Difference) -> str:
    """One of VERDICTS: an interval beside zero decides."""
    if found.n_changed == 0:
        return "the same"
    if found.low > 0:
        return "better"
    if found.high < 0:
        return "worse"
    return "not told apart"
