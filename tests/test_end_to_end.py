"""The whole road on a small sample world, by the commands the Makefile calls."""

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

SHORT = ["stages.0.epochs=5", "stages.0.image_px=64", "stages.1.epochs=1", "stages.1.image_px=64", "stages.1.rounds=1",
         "stages.2.epochs=1", "stages.2.image_px=96", "export_image_px=96"]


def run(*arguments: object, status: int = 0) -> str:
    """Run `python -m ...` from the repository's root; stdout and stderr together."""
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def road(tmp_path_factory) -> Path:
    """Folder with raw/, shards/quickstart/ and runs/quickstart/ after every step."""
    root = tmp_path_factory.mktemp("road")
    run("data_prep.sample_world", "--out", root / "raw", "--scale", "0.3", "--workers", 2)
    run("data_prep.build", "quickstart", "--raw-root", root / "raw", "--shards-root", root / "shards", "--workers", 2)
    run_dir = root / "runs" / "quickstart"
    run("train.fit", "quickstart", "--shards", root / "shards" / "quickstart", "--run-dir", run_dir, *SHORT)
    run("export.convert", run_dir / "final.ckpt", "--out", run_dir / "saved_model.pt")
    run("submission.validate", run_dir / "saved_model.pt", "--shards", root / "shards" / "quickstart")
    table = run("submission.package", run_dir)
    assert "submission.zip" in table and "fits" in table
    return root


def test_every_artefact_is_there_and_the_hashes_chain(road):
    run_dir = road / "runs" / "quickstart"
    validation = json.loads((run_dir / "validation.json").read_text())
    export = json.loads((run_dir / "export.json").read_text())
    assert validation["model_sha256"] == export["model_sha256"]
    assert {"mMP@5", "R@1", "mAP@100", "per_domain", "baselines", "n_queries", "n_index"} <= validation.keys()
    assert set(validation["baselines"]) == {"off_the_shelf", "pca_whitened_64"}
    assert len(validation["per_domain"]) == 6 and 0 < validation["mMP@5"] < 1
    with zipfile.ZipFile(run_dir / "submission.zip") as archive:
        assert archive.namelist() == ["saved_model.pt"]
        assert archive.read("saved_model.pt") == (run_dir / "saved_model.pt").read_bytes()
    assert (run_dir / "report.html").is_file() and (run_dir / "curves.png").is_file()


def test_training_helped_the_held_out_classes(road):
    rows = [json.loads(line) for line in (road / "runs/quickstart/metrics.jsonl").read_text().splitlines()]
    validations = [row["value"] for row in rows if row["name"] == "val/mMP@5"]
    validation = json.loads((road / "runs/quickstart/validation.json").read_text())
    assert validations[-1] > validations[0]
    assert validation["mMP@5"] > validation["baselines"]["pca_whitened_64"]["mMP@5"]


def test_the_same_file_scores_a_plain_table(road, tmp_path):
    reader_rows = []
    from train.data.readers import ShardReader

    reader = ShardReader(road / "shards" / "quickstart", "val")
    for index in range(0, len(reader)):
        (tmp_path / f"{index}.jpg").write_bytes(reader.jpeg_bytes(index))
        table = reader.table
        reader_rows.append([f"{index}.jpg", table.domains[index], table.class_names[index], table.roles[index]])
    with open(tmp_path / "images.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([["path", "domain", "class_key", "role"], *reader_rows])
    model, out_path = road / "runs" / "quickstart" / "saved_model.pt", tmp_path / "v.json"
    run("submission.validate", model, "--table", tmp_path / "images.csv", "--out", out_path, "--no-baselines")
    score = json.loads(out_path.read_text())
    rows = [json.loads(line) for line in (road / "runs/quickstart/metrics.jsonl").read_text().splitlines()]
    trained = [row["value"] for row in rows if row["name"] == "val/mMP@5"][-1]
    # The hosted scorer on the exported file and the validation inside training are the same computation.
    assert score["mMP@5"] == pytest.approx(trained, abs=0.01)


def test_packaging_refuses_a_model_that_changed_after_its_checks(road, tmp_path):
    import shutil

    shutil.copytree(road / "runs" / "quickstart", tmp_path / "run")
    with open(tmp_path / "run" / "saved_model.pt", "ab") as stream:
        stream.write(b"x")
    (tmp_path / "run" / "submission.zip").unlink()
    output = run("submission.package", tmp_path / "run", status=1)
    assert "export.json" in output and not (tmp_path / "run" / "submission.zip").exists()
