"""The scores a query: what is written is what was scored, and it belongs to its validation.json."""

import json

import polars as pl
import pytest

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from submission.evaluation_set import read_table
from submission.query_scores import SCHEMA, query_table, read_scored_run, write_query_scores
from submission.scoring import Scoring, embed_set, measure_score


@pytest.fixture
def queries(model_path, table_path):
    evaluation = read_table(table_path)
    score, _ = measure_score(embed_set(model_path, evaluation, "cpu", "test"), evaluation, Scoring())
    return query_table(score, evaluation.items), score


@pytest.fixture
def validated(tmp_path, queries):
    """A run folder that holds a validation and nothing else."""
    run_dir = tmp_path / "runs" / "first"
    run_dir.mkdir(parents=True)
    sha256 = write_query_scores(run_dir / "queries.parquet", queries[0])
    record = dict.fromkeys(("protocol", "index", "data_sha256", "images_sha256", "model_sha256"), "x")
    record |= {"image_source": {"kind": "table", "path": "x"}, "per_domain": {}, "queries_sha256": sha256}
    (run_dir / "validation.json").write_text(json.dumps(record))
    return run_dir


def test_the_table_holds_every_query_and_its_means_are_the_scores(queries):
    table, score = queries
    assert table.schema == SCHEMA and len(table) == score.n_queries == 12
    cars = table.filter(pl.col("domain") == "cars")
    assert cars["id"].to_list() == ["cars-red-0.png", "cars-green-0.png", "cars-blue-0.png"]
    assert cars["class_keys"].to_list() == [["red"], ["green"], ["blue"]]
    assert cars["n_matches"].to_list() == [2, 2, 2]
    for domain, scores in score.per_domain.items():
        for key in ("mMP@5", "R@1", "mAP@100"):
            assert table.filter(pl.col("domain") == domain)[key].mean() == pytest.approx(scores[key])


def test_a_run_is_read_from_its_folder_or_its_record(validated, queries):
    run = read_scored_run(validated)
    assert run.name == "first" and run.queries.equals(queries[0])
    assert read_scored_run(validated / "validation.json").name == "first"
    (validated / "validation.json").rename(validated / "val_split.json")
    with pytest.raises(ConfigError, match=r"val_split\.queries\.parquet: no such file; validate the run again"):
        read_scored_run(validated / "val_split.json")
    (validated / "queries.parquet").rename(validated / "val_split.queries.parquet")
    assert read_scored_run(validated / "val_split.json").name == "first/val_split"


def test_the_hash_is_of_the_file(validated):
    assert read_scored_run(validated).record["queries_sha256"] == sha256_of_file(validated / "queries.parquet")
    with open(validated / "queries.parquet", "ab") as stream:
        stream.write(b"x")
    with pytest.raises(ConfigError, match=r"queries\.parquet: is [0-9a-f]{12}, but validation\.json .* validate the"):
        read_scored_run(validated)


@pytest.mark.parametrize(("name", "said"), [
    ("validation.json", r"validation\.json: no such file; python -m submission\.validate writes it"),
    ("queries.parquet", r"queries\.parquet: no such file; validate the run again"),
])
def test_a_missing_file_says_what_writes_it(validated, name, said):
    (validated / name).unlink()
    with pytest.raises(ConfigError, match=said):
        read_scored_run(validated)


def test_a_record_of_before_is_refused(validated):
    path = validated / "validation.json"
    record = json.loads(path.read_text())
    del record["queries_sha256"]
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="has no queries_sha256; validate the run again"):
        read_scored_run(validated)
    for content in ("{", "[]"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="validate the run again"):
            read_scored_run(validated)
