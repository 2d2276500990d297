import json

import polars as pl

from benchmarks.catalogue import run_steps, synthetic_catalogue, table_of
from data_prep.catalogue import check_catalogue


def test_the_made_up_table_is_a_catalogue_with_the_copies_it_promises():
    table = synthetic_catalogue(5000, 300)
    check_catalogue(table, "test")
    assert (table.height, table["class_key"].n_unique()) == (5000, 300)
    assert table["sha256"].n_unique() == 5000 - 5
    assert table.equals(synthetic_catalogue(5000, 300))


def test_every_step_of_a_build_is_timed(tmp_path, monkeypatch):
    from data_prep import build

    for name in list(vars(build)):
        monkeypatch.setattr(build, name, getattr(build, name))  # the benchmark wraps them: put back afterwards
    synthetic_catalogue(5000, 300).write_parquet(tmp_path / "table.parquet")
    result = run_steps(tmp_path / "table.parquet", 4, tmp_path)
    assert {"reject_duplicates", "hash_neighbours", "plan_shards", "write_rejects"} <= result["seconds"].keys()
    assert 0 < result["left"]["images"] < pl.read_parquet(tmp_path / "table.parquet").height
    lines = table_of(json.loads(json.dumps(result)))
    assert any(line.startswith("| **all** | **") and "of 60" in line for line in lines)
