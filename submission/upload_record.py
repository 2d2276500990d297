"""What an upload has done so far (`upload.json`), and every score beside the local one (`scores.csv`)."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from data_prep.errors import ContractError
from data_prep.files import write_json, writing_atomically
from submission.record_file import read_record
from submission.upload_plan import Plan

RECORD_NAME = "upload.json"
SCORES_NAME = "scores.csv"
# Left out of `upload.json` when the same kernel is submitted once more.
SUBMISSION_KEYS = ("submission_ref", "message", "public_score", "private_score")
COLUMNS = ("date", "run", "model_sha256", "local_mMP@5", "local_low_95", "local_high_95", "competition",
           "submission_ref", "public_score", "private_score")  # fmt: skip


def read_progress(plan: Plan) -> dict:
    """What is done for this very model and target; only the identity when nothing is.

    Raises:
        ContractError: `upload.json` is not what an upload writes.
    """
    identity = {
        "model_sha256": plan.model_sha256,
        "dataset": plan.target.dataset,
        "kernel": plan.target.kernel,
        "competition": plan.target.competition,
    }
    path = plan.run_dir / RECORD_NAME
    if not path.is_file():
        return identity
    remedy = "move it away to start anew (what is on Kaggle stays there)"
    record = read_record(path, tuple(identity), remedy, ContractError)
    same = all(record[key] == value for key, value in identity.items())
    return record if same else identity


def write_progress(plan: Plan, record: dict) -> None:
    """Write `upload.json`, whole."""
    write_json(plan.run_dir / RECORD_NAME, record)


def add_score(plan: Plan, record: dict) -> Path:
    """Add a row of `COLUMNS` to the run's `scores.csv`, once a submission; its path."""
    path = plan.run_dir / SCORES_NAME
    rows = _read_rows(path)
    if all(row["submission_ref"] != str(record["submission_ref"]) for row in rows):
        validation = plan.evidence.validation
        low, high = validation["interval_95"]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        local = (f"{number:.4f}" for number in (validation["mMP@5"], low, high))
        scores = (record["competition"], record["submission_ref"], record["public_score"], record["private_score"])
        values = (now, plan.run_dir.resolve().name, plan.model_sha256, *local, *scores)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(text.getvalue(), encoding="utf-8")
    return path


def _read_rows(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ContractError(f"{path}: expected the columns {', '.join(COLUMNS)}; move it away to start a new one")
    return rows
