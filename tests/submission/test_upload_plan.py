"""What is checked before anything is sent."""

import zipfile

import pytest

from data_prep.errors import ConfigError, ContractError
from data_prep.files import sha256_of_file
from submission.submission_zip import write_checked_zip
from submission.upload_plan import Target, plan_upload

TARGET = Target("jane/guie-pack", "jane/guie-model", "google-universal-image-embedding")


@pytest.fixture
def packed_run(run_dir):
    write_checked_zip(run_dir / "saved_model.pt", run_dir / "submission.zip")
    return run_dir


def test_the_plan_names_every_call(packed_run):
    plan = plan_upload(packed_run, TARGET)
    sha256 = sha256_of_file(packed_run / "saved_model.pt")
    assert plan.model_sha256 == sha256 and plan.message == f"sample: local mMP@5 0.750, model {sha256[:12]}"
    steps = "\n".join(plan.steps())
    for call in (
        "dataset_status", "dataset_create_new", "dataset_create_version", "dataset_list_files", "kernels_push",
        "kernels_status", "kernels_list_files", "competition_submit_code", "competition_submissions",
    ):  # fmt: skip
        assert call in steps
    assert "private dataset jane/guie-model" in steps and sha256[:12] in steps
    assert "script kernel jane/guie-pack" in steps and plan.message in steps
    assert plan_upload(packed_run, TARGET, "mine").message == "mine"


def test_the_chain_must_reach_the_zip(packed_run):
    (packed_run / "submission.zip").unlink()
    with pytest.raises(ContractError, match=r"submission\.zip: no such file; make submission"):
        plan_upload(packed_run, TARGET)
    with zipfile.ZipFile(packed_run / "submission.zip", "w") as archive:
        archive.writestr("saved_model.pt", (packed_run / "saved_model.pt").read_bytes() + b" ")
    with pytest.raises(ContractError, match=r"submission\.zip: holds model .* run make submission again"):
        plan_upload(packed_run, TARGET)


@pytest.mark.parametrize(
    "reference", ["guie-pack", "jane/guie", "jane/Guie-Pack", "jane/guie-pack/3", "jane/" + "x" * 51]
)
def test_references_kaggle_would_refuse_are_errors(reference):
    with pytest.raises(ConfigError, match=r"--kernel: got .* expected owner/name"):
        Target(reference, "jane/guie-model", "c")
    with pytest.raises(ConfigError, match="--dataset: got"):
        Target("jane/guie-pack", reference, "c")
