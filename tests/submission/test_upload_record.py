"""The record of an upload and the table of its scores."""

import pytest

from data_prep.errors import ContractError
from submission.submission_zip import write_checked_zip
from submission.upload_plan import Target, plan_upload
from submission.upload_record import add_score, read_progress, write_progress

SCORED = {"submission_ref": 31, "public_score": "0.61", "private_score": "0.62", "competition": "guie"}


@pytest.fixture
def plan(run_dir):
    write_checked_zip(run_dir / "saved_model.pt", run_dir / "submission.zip")
    return plan_upload(run_dir, Target("jane/guie-pack", "jane/guie-model", "guie"))


def test_a_record_counts_for_its_own_model_and_target_only(plan):
    fresh = read_progress(plan)
    assert fresh == {"model_sha256": plan.model_sha256, "dataset": "jane/guie-model", "kernel": "jane/guie-pack",
                     "competition": "guie"}  # fmt: skip
    write_progress(plan, fresh | {"dataset_version": 3})
    assert read_progress(plan)["dataset_version"] == 3
    elsewhere = plan_upload(plan.run_dir, Target("jane/guie-pack", "jane/other-model", "guie"))
    assert "dataset_version" not in read_progress(elsewhere)
    write_progress(plan, fresh | {"dataset_version": 3, "model_sha256": "0" * 64})
    assert read_progress(plan) == fresh


@pytest.mark.parametrize("content", ["{", "[]", "{}", "7"])
def test_a_record_of_something_else_is_an_error(plan, content):
    (plan.run_dir / "upload.json").write_text(content)
    with pytest.raises(ContractError, match=r"upload\.json: .*; move it away to start anew"):
        read_progress(plan)


def test_scores_gather_a_row_a_submission(plan):
    add_score(plan, SCORED)
    add_score(plan, SCORED)
    path = add_score(plan, SCORED | {"submission_ref": 32, "public_score": "0.63", "private_score": ""})
    header, *rows = path.read_text().splitlines()
    assert header.startswith("date,run,model_sha256,local_mMP@5,local_low_95,local_high_95")
    assert [row.split(",", 2)[1] for row in rows] == ["sample", "sample"]
    assert rows[0].endswith(f"{plan.model_sha256},0.7500,0.7000,0.8000,guie,31,0.61,0.62")
    assert rows[1].endswith("guie,32,0.63,")


def test_a_table_with_other_columns_is_left_alone(plan):
    (plan.run_dir / "scores.csv").write_text("run,score\na,1\n")
    with pytest.raises(ContractError, match=r"scores\.csv: expected the columns date, run"):
        add_score(plan, SCORED)
    assert (plan.run_dir / "scores.csv").read_text() == "run,score\na,1\n"
