"""The run file: validation.json's content, exit codes, both kinds of input."""

import json

import pytest

from data_prep.files import sha256_of_file
from submission.query_scores import read_scored_run
from submission.submission_zip import write_checked_zip
from submission.validate import main


def test_a_table_is_scored_and_both_files_are_written(model_path, table_path, capsys):
    assert main([str(model_path), "--table", str(table_path), "--device", "cpu"]) == 0
    record = json.loads((model_path.parent / "validation.json").read_text())
    assert record["model_sha256"] == sha256_of_file(model_path)
    assert record["data_sha256"] == sha256_of_file(table_path)
    assert (record["n_queries"], record["n_index"], record["protocol"]) == (12, 15, "ours")
    assert {"mMP@5", "R@1", "mAP@100"} <= record.keys() & record["per_domain"]["toys"].keys()
    assert record["pooled"].keys() == {"mMP@5", "R@1", "mAP@100"}
    assert record["interval_95"][0] <= record["mMP@5"] <= record["interval_95"][1]
    assert record["baselines"] == {"off_the_shelf": None, "pca_whitened_64": None}
    assert "final.ckpt is not there" in record["baselines_missing"]["off_the_shelf"]
    assert (model_path.parent / "report.html").is_file()
    assert record["queries_sha256"] == sha256_of_file(model_path.parent / "queries.parquet")
    low, high = record["per_domain_interval_95"]["toys"]
    assert low <= record["per_domain"]["toys"]["mMP@5"] <= high
    shown = capsys.readouterr().out
    assert "toys" in shown and f"{record['mMP@5']:.3f}" in shown


def test_shards_are_scored_with_the_starting_tower_as_baseline(run_dir, checkpoint_path, shards_dir):
    checkpoint_path.rename(run_dir / "final.ckpt")
    assert main([str(run_dir / "saved_model.pt"), "--shards", str(shards_dir), "--device", "cpu"]) == 0
    record = json.loads((run_dir / "validation.json").read_text())
    assert record["mMP@5"] == 1.0  # colour is the class
    baseline = record["baselines"]["off_the_shelf"]
    assert baseline["per_domain"].keys() == record["per_domain"].keys()
    assert {"mMP@5", "R@1", "mAP@100", "interval_95", "pooled"} <= baseline.keys()
    assert record["image_source"] == {"kind": "shards", "path": str(shards_dir), "split": "test"}
    assert len(list((run_dir.parent / ".baselines").iterdir())) == 1


def test_baselines_can_be_left_out_and_the_files_put_elsewhere(run_dir, checkpoint_path, shards_dir, tmp_path):
    checkpoint_path.rename(run_dir / "final.ckpt")
    before = (run_dir / "validation.json").read_bytes()
    out_path = tmp_path / "elsewhere" / "scores.json"
    arguments = [str(run_dir / "saved_model.pt"), "--shards", str(shards_dir), "--no-baselines", "--out", str(out_path)]
    assert main(arguments) == 0
    assert json.loads(out_path.read_text())["baselines_missing"]["off_the_shelf"] == "switched off by --no-baselines"
    assert out_path.with_name("scores.report.html").is_file()
    assert (run_dir / "validation.json").read_bytes() == before
    assert not (run_dir / "MODEL_CARD.md").exists()


def test_two_validations_of_one_folder_stand_beside_each_other(run_dir, shards_dir, capsys):
    arguments = [str(run_dir / "saved_model.pt"), "--shards", str(shards_dir), "--no-baselines"]
    assert main(arguments) == 0
    assert f"model card: {run_dir / 'MODEL_CARD.md'}" in capsys.readouterr().out
    card = (run_dir / "MODEL_CARD.md").read_text()
    assert "| toys | 1.000 | 1.000 | 12 |" in card
    before = {path: path.read_bytes() for path in run_dir.iterdir() if path.is_file()}
    assert main([*arguments, "--index", "separate", "--out", str(run_dir / "apart.json")]) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    new = {path.name for path in run_dir.iterdir() if path.is_file()} - {path.name for path in before}
    assert new == {"apart.json", "apart.report.html", "apart.queries.parquet"}
    assert read_scored_run(run_dir).record["index"] == "merged"
    assert read_scored_run(run_dir / "apart.json").record["index"] == "separate"


def test_a_run_without_its_export_has_a_score_and_no_card(run_dir, shards_dir, capsys):
    (run_dir / "export.json").unlink()
    assert main([str(run_dir / "saved_model.pt"), "--shards", str(shards_dir), "--no-baselines"]) == 0
    assert "no model card: " in (said := capsys.readouterr().out) and "make export writes it" in said
    assert not (run_dir / "MODEL_CARD.md").exists()


def test_another_run_is_compared_in_the_report(model_path, table_path, run_dir, capsys):
    other = [str(run_dir / "saved_model.pt"), "--table", str(table_path), "--no-baselines"]
    assert main(other) == 0
    compared = [str(model_path), "--table", str(table_path), "--no-baselines", "--compare", str(run_dir)]
    assert main(compared) == 0
    page = (model_path.parent / "report.html").read_text()
    assert f"{model_path.parent.name} beside sample" in page
    assert "no difference: every query scores the same under sample" in page
    record = json.loads((model_path.parent / "validation.json").read_text())
    assert not {"comparisons", "compare"} & record.keys()


def test_a_run_of_other_data_is_refused_before_any_work(model_path, table_path, run_dir, capsys):
    assert main([str(run_dir / "saved_model.pt"), "--table", str(table_path), "--no-baselines"]) == 0
    lines = table_path.read_text().splitlines()
    table_path.write_text("\n".join(lines[:-1]) + "\n")
    model_path.write_bytes(b"never read")
    assert main([str(model_path), "--table", str(table_path), "--compare", str(run_dir)]) == 2
    assert "sample and this run were scored on other images" in capsys.readouterr().err
    assert main([str(model_path), "--table", str(table_path), "--compare", str(table_path.parent)]) == 2
    assert "validation.json: no such file" in capsys.readouterr().err
    assert not (model_path.parent / "report.html").exists()


def test_a_zip_is_scored_as_its_model(model_path, table_path, tmp_path):
    zip_path = tmp_path / "zipped" / "submission.zip"
    write_checked_zip(model_path, zip_path)
    assert main([str(zip_path), "--table", str(table_path)]) == 0
    assert main([str(model_path), "--table", str(table_path)]) == 0
    zipped = json.loads((zip_path.parent / "validation.json").read_text())
    bare = json.loads((model_path.parent / "validation.json").read_text())
    assert (zipped["model_sha256"], zipped["mMP@5"]) == (bare["model_sha256"], bare["mMP@5"])


def test_errors_leave_nothing_behind(model_path, table_path, capsys):
    (table_path.parent / "cars-red-1.png").unlink()
    assert main([str(model_path), "--table", str(table_path)]) == 2
    assert "cars-red-1.png: no such file" in capsys.readouterr().err
    assert main([str(table_path), "--shards", str(table_path.parent)]) == 2
    assert "manifest.json" in capsys.readouterr().err
    assert not [path for path in model_path.parent.iterdir() if path.is_file() and path != model_path]


def test_a_file_that_is_no_model_is_a_contract_error(tmp_path, table_path, capsys):
    (tmp_path / "saved_model.pt").write_bytes(b"?")
    assert main([str(tmp_path / "saved_model.pt"), "--table", str(table_path)]) == 1
    assert "torch.jit.load does not read it" in capsys.readouterr().err


def test_something_to_score_must_be_given(model_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(model_path)])
    assert stop.value.code == 2
    assert "give --shards, --table, or both" in capsys.readouterr().err
