"""The Met: photographs of 224,408 exhibits by the museum (the database) and by visitors (the queries).

Layout: `images/MET/<MET id>/<n>.jpg`, `images/test_met/`, `images/test_other/`, `images/test_noart/`, and in
`ground_truth/` (or unpacked at top level) `MET_database.json` with {"id", "path"}, `testset.json` and
`valset.json` with {"path", "MET_id"}. Paths are relative to `images/`: those of the database start with
`MET/` already. Queries of other things carry no MET_id: they have no right answer and are counted rejects.

The published protocol trains on the database and searches it: train and test share all classes. So there is
no class-disjoint official split; split is '' and a mixture says `split: by_class`. A class can be scored if
visitors photographed it; a class that stays in train holds its database and its visitors' photographs.
"""

import json
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import find_file, mark_missing_files, require_folder
from data_prep.sources.source import RemoteFile, Source, Urls, source_rows

TITLE = "The Met"
FETCH = (
    "MET.tar.gz, test_met.tar.gz, test_other.tar.gz and test_noart.tar.gz of "
    "http://ptak.felk.cvut.cz/met/dataset/ unpacked to images/, ground_truth.tar.gz to ground_truth/"
)
HOST = "http://ptak.felk.cvut.cz/met/dataset"
FETCH_PLAN = Urls((  # the small ones first: a wrong address shows before the 30 GB
    RemoteFile(f"{HOST}/ground_truth.tar.gz", "ground_truth"),
    RemoteFile(f"{HOST}/test_met.tar.gz", "images", size_bytes=34_048_842),
    RemoteFile(f"{HOST}/test_other.tar.gz", "images"),
    RemoteFile(f"{HOST}/test_noart.tar.gz", "images"),
    RemoteFile(f"{HOST}/MET.tar.gz", "images"),
))
NO_MET_ID = "query without a MET_id"  # not an exhibit of the museum, or no work of art at all
QUERY_LISTS = ("testset.json", "valset.json")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), split '': the database is the index, visitors' photographs are the queries.

    Raises:
        ConfigError: a missing list or folder of pictures, or a list that is not what it should be.
    """
    for name in ("MET", "test_met"):
        require_folder(folder / "images" / name, TITLE, FETCH)
    database = _read_list(folder, "MET_database.json", required=("id", "path"))
    queries = [row for name in QUERY_LISTS for row in _read_list(folder, name, required=("path",))]
    index_rows = source_rows([str(row["id"]) for row in database], _paths(database), roles="index")
    # Looked up by presence, not by truth: 0 is an id like any other.
    keys = [str(row["MET_id"]) if row.get("MET_id") is not None else None for row in queries]
    query_rows = source_rows([key or "distractor" for key in keys], _paths(queries), roles="query")
    unlabelled = pl.Series([key is None for key in keys], dtype=pl.Boolean)
    reason = pl.when(unlabelled).then(pl.lit(NO_MET_ID)).otherwise("reject_reason")
    return mark_missing_files(pl.concat([index_rows, query_rows.with_columns(reject_reason=reason)]), folder)


def _paths(rows: list[dict]) -> list[str]:
    return [f"images/{row['path']}" for row in rows]


def _read_list(folder: Path, name: str, required: tuple[str, ...]) -> list[dict]:
    """The objects of one JSON list, all with the required keys."""
    path = find_file(folder, name, ("ground_truth", "."), TITLE, FETCH)
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{TITLE}: {path} is not readable JSON: {error}") from error
    if not isinstance(rows, list):
        raise ConfigError(f"{TITLE}: {path}: got {type(rows).__name__}, expected a list of objects")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or any(key not in row for key in required):
            raise ConfigError(f"{TITLE}: {path}: entry {number}: got {row!r}, expected {', '.join(required)}")
    return rows


MET = Source(
    key="met",
    domain="artwork",
    title=TITLE,
    licence="annotations CC BY 4.0; pictures Met Open Access and by visitors",
    homepage="http://cmp.felk.cvut.cz/met/",
    fetch=FETCH,
    raw_dir="met",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
