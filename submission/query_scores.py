"""`queries.parquet`: what each single query scored, so that two runs can be compared query by query."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from submission.record_file import read_record
from train.retrieval.protocol import SCORE_KEYS, EvaluationItems, RetrievalScore

QUERIES_NAME = "queries.parquet"
SCHEMA = {
    "id": pl.String,
    "domain": pl.String,
    "class_keys": pl.List(pl.String),
    "n_matches": pl.Int64,
    **dict.fromkeys(SCORE_KEYS, pl.Float64),
}
_RECORD_KEYS = ("protocol", "index", "data_sha256", "images_sha256", "image_source", "per_domain", "model_sha256")


@dataclass(frozen=True)
class ScoredRun:
    """`name` to show; `record`: content of its `validation.json`; `queries`: SCHEMA, one row a query."""

    name: str
    record: dict
    queries: pl.DataFrame


def beside(validation_path: Path, name: str) -> Path:
    """Another file of the same validation; those of two validations in one folder have different names.

    >>> beside(Path("runs/a/validation.json"), "queries.parquet"), beside(Path("runs/a/val.json"), "report.html")
    (PosixPath('runs/a/queries.parquet'), PosixPath('runs/a/val.report.html'))
    """
    prefix = "" if validation_path.name == "validation.json" else f"{validation_path.stem}."
    return validation_path.with_name(prefix + name)


def query_table(score: RetrievalScore, items: EvaluationItems) -> pl.DataFrame:
    """SCHEMA rows in the order of the queries."""
    rows = score.query_rows.tolist()
    columns = {
        "id": [str(items.ids[row]) for row in rows],
        "domain": score.query_domains.tolist(),
        "class_keys": [list(items.class_keys[row]) for row in rows],
        "n_matches": score.n_matches,
        **score.by_query,
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def write_query_scores(path: Path, queries: pl.DataFrame) -> str:
    """Write the table; its sha256, which `validation.json` keeps as `queries_sha256`."""
    with writing_atomically(path) as unfinished_path:
        queries.write_parquet(unfinished_path)
        return sha256_of_file(unfinished_path)


def read_scored_run(run: Path) -> ScoredRun:
    """A validated run, from its folder or from a `validation.json` with `queries.parquet` beside it.

    Raises:
        ConfigError: a file is missing or cannot be read, or the two are not of one validation.
    """
    run = Path(run)
    if run.is_file() and run.suffix != ".json":
        raise ConfigError(f"{run}: a file of another kind; give the run's folder, {run.parent}, or its validation.json")
    path = run / "validation.json" if run.suffix != ".json" else run
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; python -m submission.validate writes it")
    record = read_record(path, (*_RECORD_KEYS, "queries_sha256"), "validate the run again", ConfigError)
    name = path.parent.name if path.name == "validation.json" else f"{path.parent.name}/{path.stem}"
    return ScoredRun(name or str(path), record, _read_queries(path, record))


def _read_queries(validation_path: Path, record: dict) -> pl.DataFrame:
    path = beside(validation_path, QUERIES_NAME)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; validate the run again, its scores a query are kept there")
    got, expected = sha256_of_file(path), record["queries_sha256"]
    if got != expected:
        raise ConfigError(
            f"{path}: is {got[:12]}, but {validation_path.name} beside it was written with {str(expected)[:12]}; "
            "validate the run again"
        )
    return pl.read_parquet(path)
