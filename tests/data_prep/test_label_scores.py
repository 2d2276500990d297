import numpy as np
import polars as pl
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.catalogue import make_catalogue
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.label_scores import (
    SCORES_SCHEMA,
    LabelScoresConfig,
    believe_labels,
    decide,
    label_step,
    load_scores,
    save_scores,
)
from data_prep.manifest import load_manifest
from data_prep.mixture import MixtureConfig
from data_prep.sources.source import source_rows


def scored(*rows):
    """(path, class_key, score, best_class_key, best_score) -> a table of scores of source 's'."""
    names = ("path", "class_key", "score", "best_class_key", "best_score")
    table = pl.DataFrame(rows, schema=names, orient="row")
    return table.with_columns(
        source=pl.lit("s"), sha256=pl.lit("hash of ") + pl.col("path"), decision=pl.lit(None)
    ).select(pl.col(name).cast(dtype) for name, dtype in SCORES_SCHEMA.items())


def listed(*rows, source="s"):
    """(path, class_key, split) -> a catalogue whose files have been hashed."""
    paths, keys, splits = zip(*rows)
    table = make_catalogue(source_rows(keys, paths, splits, "both"), source, "things", "")
    return table.with_columns(sha256=pl.lit("hash of ") + pl.col("path"))


RULE = LabelScoresConfig(drop_below=0.2, relabel_above=0.3)


@pytest.mark.parametrize("score, best, best_score, expected", [
    (0.25, "b", 0.9, "keep"),  # believed, whatever else fits
    (0.25, "a", 0.25, "keep"),
    (0.125, "b", 0.5, "relabel"),
    (0.125, "b", 0.25, "drop"),  # the best is not good enough
    (0.125, "a", 0.125, "drop"),
])
def test_decisions(score, best, best_score, expected):
    table = scored(("p", "a", score, best, best_score))
    assert table.select(decide(RULE)).item() == expected
    only_drop = RULE.model_copy(update={"relabel_above": None})
    assert table.select(decide(only_drop)).item() == expected.replace("relabel", "drop")


def test_thresholds_include_their_value():
    table = scored(("p", "a", 0.25, "a", 0.25), ("q", "a", 0.125, "b", 0.5))
    rule = LabelScoresConfig(drop_below=0.25, relabel_above=0.5)
    assert table.select(d=decide(rule))["d"].to_list() == ["keep", "relabel"]


def test_the_catalogue_says_what_was_done(capsys):
    catalogue = listed(("keep", "a", "train"), ("drop", "a", ""), ("move", "a", "train"), ("b", "b", "train"))
    scores = scored(("keep", "a", 0.5, "a", 0.5), ("drop", "a", 0.125, "b", 0.25), ("move", "a", 0.0, "b", 0.5),
                    ("b", "b", 0.25, "b", 0.25))
    table = believe_labels(catalogue, "s", RULE, scores)
    assert table.columns == catalogue.columns
    assert table.select("path", "class_key", "listed_class_key", "label_score", "reject_reason").rows() == [
        ("keep", "a", None, 0.5, None),
        ("drop", "a", None, 0.125, "label not believed"),
        ("move", "b", "a", 0.5, None),
        ("b", "b", None, 0.25, None),
    ]
    assert table["reject_detail"].to_list() == [
        None, "score 0.125 of class a, below 0.2; best: 0.25 of class b", None, None]
    assert capsys.readouterr().err == "s: labels by score: keep 2, drop 1, relabel 1\n"


def test_evaluation_rows_rejected_rows_and_other_sources_stay_as_they_are():
    own = listed(("query", "a", "test"), ("val", "a", "val"), ("gone", "a", "train"), ("t", "a", "train"))
    own = own.with_columns(reject_reason=pl.when(pl.col("path") == "gone").then(pl.lit("missing file")))
    other = listed(("query", "a", "train"), source="o")
    catalogue = pl.concat([own, other])
    table = believe_labels(catalogue, "s", RULE, scored(("t", "a", 0.0, "a", 0.0)))
    untouched = pl.col("path") != "t"
    assert table.filter(untouched).equals(catalogue.filter(untouched))
    assert table["label_score"].to_list() == [None, None, None, 0.0, None]


def test_no_picture_moves_to_a_class_of_the_evaluation_splits():
    catalogue = listed(("p", "a", "train"), ("q", "b", "test"))
    table = believe_labels(catalogue, "s", RULE, scored(("p", "a", 0.0, "b", 0.9)))
    assert table["class_key"].to_list() == ["a", "b"]
    assert table["reject_reason"].to_list() == ["label not believed", None]


@pytest.mark.parametrize("change", [{"path": "new"}, {"sha256": "another"}, {"class_key": "b"}])
def test_pictures_without_a_score_are_counted_with_the_command(change):
    catalogue = listed(("p", "a", "train"), ("q", "a", "train"), ("r", "b", "train"))
    scores = scored(("p", "a", 0.5, "a", 0.5), ("q", "a", 0.5, "a", 0.5), ("r", "b", 0.5, "b", 0.5))
    row = pl.col("path") == "q"
    changed = scores.with_columns(pl.when(row).then(pl.lit(v)).otherwise(k).alias(k) for k, v in change.items())
    with pytest.raises(ConfigError, match=r"s: 1 of 3 pictures have no score .*'q'; python -m train.score_labels"):
        believe_labels(catalogue, "s", RULE, changed)


def test_a_file_of_scores_comes_back_with_what_made_it(tmp_path):
    scores = scored(("p", "a", 0.5, "a", 0.5))
    save_scores(scores, tmp_path / "x.parquet", {"tower": "t"})
    assert load_scores(tmp_path / "x.parquet").equals(scores)
    assert pl.read_parquet_metadata(tmp_path / "x.parquet")["tower"] == "t"


@pytest.mark.parametrize("scores, part", [
    (scored(("p", "a", 0.5, "a", 0.5), ("p", "a", 0.1, "a", 0.1)), "more than once"),
    (scored(("p", "a", float("nan"), "a", 0.5)), "1 row.s. without a finite score, first 'p'"),
    (scored(("p", "a", 0.5, "a", None)), "without a finite score"),
    (scored(("p", "a", 0.5, "a", 0.5)).drop("sha256"), "got columns"),
])
def test_wrong_files_are_refused(scores, part, tmp_path):
    scores.write_parquet(tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match=part):
        load_scores(tmp_path / "x.parquet")


def test_a_missing_file_is_noticed_before_any_work_and_no_rule_is_no_step(tmp_path):
    assert label_step({}, tmp_path) == {}
    with pytest.raises(ConfigError, match=r"no file .*label_scores.parquet; python -m train.score_labels"):
        label_step({"s": RULE}, tmp_path)


@pytest.mark.parametrize("keys, part", [
    ({"drop_below": 0.3, "relabel_above": 0.2}, "would not be believed either"),
    ({}, "drop_below: required"),
    ({"drop_below": 2}, "less than or equal to 1"),
    ({"drop_below": 0.1, "file": "../x.parquet"}, "below the raw root"),
    ({"drop_below": 0.1, "above": 1}, "unknown key; known: drop_below, file, relabel_above"),
])
def test_wrong_settings(keys, part):
    with pytest.raises(ConfigError, match=part):
        build_config(LabelScoresConfig, keys, "test")


def test_a_build_with_scores(tmp_path):
    """Of six `chairs` two are dropped and one moves to `sofas`; `beds` goes down to one, which is below the minimum.

    One picture lies in `beds` and in `sofas`. As listed both copies would go; its scores move one to the other.
    """
    rng = np.random.default_rng(0)
    raw = tmp_path / "raw"
    for name, n_images in (("chairs", 6), ("sofas", 6), ("beds", 2)):
        for number in range(n_images):
            path = raw / "rooms" / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)
    (raw / "rooms" / "beds" / "1.jpg").write_bytes((raw / "rooms" / "sofas" / "0.jpg").read_bytes())
    tree = {"name": "m", "seed": 0, "image_px": 16, "sources": [
        {"source": "rooms", "reader": "class_folders", "domain": "furniture", "split": "by_class", "min_per_class": 2}]}
    plain = build(build_config(MixtureConfig, tree, "t"), raw, tmp_path / "plain", n_workers=1)
    before = load_manifest(plain.parent)
    catalogue = pl.read_parquet(plain.parent / "catalogue.parquet")
    assert before.counts["rooms"].keys().isdisjoint({"label scores"})
    assert {entry.class_key: entry.n_images for entry in before.classes} == {"chairs": 6, "sofas": 5}

    odd = {"rooms/chairs/0.jpg": (0.1, "beds", 0.2), "rooms/chairs/1.jpg": (0.1, "beds", 0.2),
           "rooms/chairs/2.jpg": (0.1, "sofas", 0.6), "rooms/beds/1.jpg": (0.1, "sofas", 0.6)}
    values = [odd.get(row["path"], (0.5, row["class_key"], 0.5)) for row in catalogue.iter_rows(named=True)]
    scores = catalogue.select("source", "path", "sha256", "class_key").with_columns(
        pl.Series("score", [v[0] for v in values]), pl.Series("best_class_key", [v[1] for v in values]),
        pl.Series("best_score", [v[2] for v in values]), decision=pl.lit(None))
    save_scores(scores, raw / "label_scores.parquet", {})
    tree["sources"][0]["label_scores"] = {"drop_below": 0.25, "relabel_above": 0.5}
    manifest = load_manifest(build(build_config(MixtureConfig, tree, "t"), raw, tmp_path / "s", n_workers=1).parent)
    assert {entry.class_key: entry.n_images for entry in manifest.classes} == {"chairs": 3, "sofas": 7}
    assert manifest.rejects == {"class below minimum": 1, "duplicate in class": 1, "label not believed": 2}
    assert manifest.counts["rooms"]["label scores"] == {"images": 12, "classes": 3}
    after = pl.read_parquet(tmp_path / "s" / "m" / "catalogue.parquet")
    assert after.filter(pl.col("listed_class_key").is_not_null()).select("path", "class_key").rows() == [
        ("rooms/beds/1.jpg", "sofas"), ("rooms/chairs/2.jpg", "sofas")]
    # Other thresholds need no other scores.
    tree["sources"][0]["label_scores"] = {"drop_below": 0.05}
    again = load_manifest(build(build_config(MixtureConfig, tree, "t"), raw, tmp_path / "t", n_workers=1).parent)
    assert again.classes == before.classes
