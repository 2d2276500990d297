"""The steps of an upload: the real client against a local stand-in for Kaggle's site; no network."""

import json
import re

import pytest

from data_prep import kaggle_client
from data_prep.errors import ContractError
from data_prep.kaggle_client import connect
from submission import kaggle_answers
from submission.kaggle_steps import Patience, forget_submission, upload
from submission.submission_zip import write_checked_zip
from submission.upload_plan import Target, plan_upload

TARGET = Target("jane/guie-pack", "jane/guie-model", "google-universal-image-embedding")
QUICK = Patience(5.0, 5.0)


@pytest.fixture
def plan(run_dir, monkeypatch):
    monkeypatch.setattr(kaggle_answers, "_POLL_SECONDS", 0.0)
    write_checked_zip(run_dir / "saved_model.pt", run_dir / "submission.zip")
    return plan_upload(run_dir, TARGET)


def send(plan, patience=QUICK):
    told = []
    upload(plan, connect(), patience, told.append)
    return told


def names(site):
    return [name for name, _ in site.calls]


def record_of(plan):
    return json.loads((plan.run_dir / "upload.json").read_text())


def test_a_first_upload_goes_from_the_model_to_the_score(plan, kaggle_uploads):
    told = send(plan)
    model = (plan.run_dir / "saved_model.pt").read_bytes()
    assert kaggle_uploads.datasets == {"guie-model": [{"saved_model.pt": model}]}
    created = dict(kaggle_uploads.calls)["CreateDataset"]
    assert created["isPrivate"] is True and created["ownerSlug"] == "jane" and created["title"] == "guie-model"
    pushed = dict(kaggle_uploads.calls)["SaveKernel"]
    assert pushed["slug"] == "jane/guie-pack" and pushed["newTitle"] == "guie-pack" and pushed["isPrivate"] is True
    assert pushed["datasetDataSources"] == ["jane/guie-model"] and pushed["enableInternet"] is False
    assert pushed["competitionDataSources"] == ["google-universal-image-embedding"]
    assert f'EXPECTED_SHA256 = "{plan.model_sha256}"' in pushed["text"]
    compile(pushed["text"], "pack_submission.py", "exec")
    assert kaggle_uploads.submissions == [{
        "competitionName": "google-universal-image-embedding", "kernelOwner": "jane", "kernelSlug": "guie-pack",
        "kernelVersion": 1, "fileName": "submission.zip", "submissionDescription": plan.message,
    }]  # fmt: skip
    assert record_of(plan) == {
        "model_sha256": plan.model_sha256, "dataset": "jane/guie-model", "kernel": "jane/guie-pack",
        "competition": "google-universal-image-embedding", "dataset_version": 1, "kernel_version": 1,
        "submission_ref": 31, "message": plan.message, "public_score": "0.611", "private_score": "0.622",
    }  # fmt: skip
    assert "31,0.611,0.622" in (plan.run_dir / "scores.csv").read_text()
    assert "kernel jane/guie-pack: running" in told and "submitted: Successfully submitted" in told
    assert "public 0.611, private 0.622; local mMP@5 0.750" in told[-1]
    assert not list(plan.run_dir.glob("kaggle-dataset-*"))


def test_a_known_dataset_gets_a_new_version_and_the_old_one_is_not_taken_for_it(plan, kaggle_uploads):
    kaggle_uploads.datasets["guie-model"] = [{"saved_model.pt": b"old"}] * 4
    send(plan)
    assert "CreateDataset" not in names(kaggle_uploads)
    version = dict(kaggle_uploads.calls)["CreateDatasetVersion"]
    assert version["body"]["versionNotes"] == f"model {plan.model_sha256}"
    assert record_of(plan)["dataset_version"] == 5


def test_what_is_done_is_not_done_again(plan, kaggle_uploads):
    send(plan)
    kaggle_uploads.calls.clear()
    assert "public 0.611" in send(plan)[-1] and kaggle_uploads.calls == []
    forget_submission(plan)
    kaggle_uploads.scores = ("0.7", "")
    kaggle_uploads.submission_polls = ["PENDING", "COMPLETE"]
    send(plan)
    assert not {"CreateDataset", "CreateDatasetVersion", "SaveKernel"} & set(names(kaggle_uploads))
    rows = (plan.run_dir / "scores.csv").read_text().splitlines()
    assert len(rows) == 3 and rows[2].endswith("32,0.7,")


def test_a_stopped_upload_goes_on_where_it_was(plan, kaggle_uploads):
    kaggle_uploads.dataset_polls, kaggle_uploads.kernel_polls = ["READY"], ["RUNNING"]
    with pytest.raises(ContractError, match=r"kernel jane/guie-pack: running after 0 minutes; .* run the same command"):
        send(plan, Patience(0.05, 0.05))
    assert record_of(plan)["dataset_version"] == 1 and "kernel_version" not in record_of(plan)
    kaggle_uploads.kernel_polls, kaggle_uploads.submission_polls = ["COMPLETE"], ["PENDING"]
    with pytest.raises(ContractError, match="submission 31: pending after 0 minutes"):
        send(plan, Patience(5.0, 0.05))
    assert len(kaggle_uploads.datasets["guie-model"]) == 1 and record_of(plan)["submission_ref"] == 31
    kaggle_uploads.submission_polls = ["COMPLETE"]
    send(plan)
    assert len(kaggle_uploads.submissions) == 1 and record_of(plan)["private_score"] == "0.622"


def test_a_dataset_that_moved_on_is_sent_again_and_packed_again(plan, kaggle_uploads):
    kaggle_uploads.submission_polls = ["PENDING"]
    with pytest.raises(ContractError):
        send(plan, Patience(5.0, 0.05))
    forget_submission(plan)
    kaggle_uploads.datasets["guie-model"].append({"saved_model.pt": b"somebody else's"})
    kaggle_uploads.submission_polls = ["COMPLETE"]
    send(plan)
    assert record_of(plan)["dataset_version"] == 3 and record_of(plan)["kernel_version"] == 2


def test_bytes_that_do_not_arrive_are_noticed(plan, kaggle_uploads):
    kaggle_uploads.put_statuses = [403]  # the client then makes a dataset without the file, and is content
    with pytest.raises(ContractError, match=r"expected saved_model.pt \(\d+ bytes\), got nothing; run the same"):
        send(plan)
    assert "SaveKernel" not in names(kaggle_uploads)
    send(plan)
    assert record_of(plan)["dataset_version"] == 2


def fail_kernel(site):
    site.kernel_polls, site.kernel_failure = ["RUNNING", "ERROR"], "no saved_model.pt"


def refuse_sources(site):
    site.kernel_problems = {"invalid_dataset_sources": ["jane/guie-model"]}


def refuse_kernel(site):
    site.kernel_problems = {"error": "Maximum batch CPU session count of 5 reached"}


def refuse_competition(site):
    site.kernel_problems = {"invalid_competition_sources": ["google-universal-image-embedding"]}


def lose_output(site):
    site.kernel_output = ["other.txt"]


def break_dataset(site):
    site.dataset_polls = ["BLOBS_RECEIVED", "FAILED"]


def expire_token(site):
    site.refusals["GetDatasetStatus"] = [(401, 401, "Unauthenticated")]


def expire_inside(site):
    site.refusals["SaveKernel"] = [(200, 401, "Unauthenticated")]


def ask_for_rules(site):
    site.refusals["CreateCodeSubmission"] = [(403, 403, "You must accept the rules")]


def use_up_quota(site):
    said = "Submission not allowed: Your team has used its daily Submission allowance (5) today"
    site.refusals["CreateCodeSubmission"] = [(400, 400, said)]


def hurry(site):
    site.refusals["SaveKernel"] = [(429, 429, "Too many requests")]


def fall_over(site):
    site.refusals["SaveKernel"] = [(503, 503, "backend")]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (fail_kernel, "kernel jane/guie-pack: error: no saved_model.pt"),
        (refuse_sources, "refused the kernel jane/guie-pack: .'jane/guie-model'"),
        (refuse_kernel, "refused the kernel jane/guie-pack: Maximum batch CPU session count"),
        (refuse_competition, "accept the rules at https://www.kaggle.com/c/google-universal-image-embedding/rules"),
        (lose_output, "expected submission.zip in its output, got other.txt"),
        (break_dataset, "dataset jane/guie-model: failed"),
        (expire_token, r"dataset jane/guie-model: .*Unauthenticated \(401: the credentials are not valid, or have exp"),
        (expire_inside, r"kernel jane/guie-pack: .*Unauthenticated \(401: the credentials are not valid"),
        (ask_for_rules, r"403: accept the rules at https://www.kaggle.com/c/google-universal-image-embedding/rules"),
        (use_up_quota, "used its daily Submission allowance"),
        (hurry, "429: too many requests; wait some minutes"),
        (fall_over, "503: Kaggle is in trouble; run the same command again"),
    ],
)
def test_what_kaggle_refuses_stops_before_the_submission_and_says_what_to_do(plan, kaggle_uploads, spoil, message):
    spoil(kaggle_uploads)
    with pytest.raises(ContractError, match=message):
        send(plan)
    assert kaggle_uploads.submissions == [] and not (plan.run_dir / "scores.csv").exists()


class Recorder:
    """The client, and the names of its methods that were called from outside."""

    def __init__(self, client):
        self.client, self.called = client, set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self.client, name)


def test_a_dry_run_shows_every_call_and_the_metadata_that_is_sent(plan, kaggle_uploads):
    clients = []
    for _ in range(2):  # the first makes the dataset, the second a version of it
        clients.append(Recorder(connect()))
        upload(plan, clients[-1], QUICK, lambda line: None)
        (plan.run_dir / "upload.json").unlink()
        kaggle_uploads.dataset_polls, kaggle_uploads.kernel_polls = ["READY"], ["COMPLETE"]
        kaggle_uploads.submission_polls = ["COMPLETE"]
    called = {name for client in clients for name in client.called} - {"config_values"}
    shown = "\n".join(plan.steps())
    named = set(re.findall(r"\b(?:dataset|kernels|competition)_[a-z_]+", shown))
    assert named - {"dataset_sources", "competition_sources"} == called  # two keys of the metadata
    pushed, created = (dict(kaggle_uploads.calls)[name] for name in ("SaveKernel", "CreateDataset"))
    kernel, dataset = plan.kernel_metadata(), plan.dataset_metadata()
    assert json.dumps(kernel) in shown and json.dumps(dataset) in shown
    assert (kernel["id"], kernel["title"], kernel["dataset_sources"], kernel["is_private"]) == (
        pushed["slug"], pushed["newTitle"], pushed["datasetDataSources"], pushed["isPrivate"])
    assert dataset["id"] == f"{created['ownerSlug']}/{created['slug']}"
    assert "kaggle competitions submit google-universal-image-embedding -k jane/guie-pack -v VERSION" in shown


def test_trouble_that_passes_does_not_end_a_wait(plan, kaggle_uploads, monkeypatch):
    monkeypatch.setattr(kaggle_client, "TIMEOUT_S", 0.3)
    kaggle_uploads.refusals["ListSubmissions"] = [(503, 503, "backend"), (429, 429, "Too many requests")]
    kaggle_uploads.silent["GetKernelSessionStatus"] = 1
    told = send(plan)
    assert "kernel jane/guie-pack: no answer (ReadTimeout)" in told
    assert {"submission 31: no answer (503)", "submission 31: no answer (429)"} <= set(told)
    assert record_of(plan)["public_score"] == "0.611"


def test_a_server_that_never_answers_is_an_error_in_time(plan, kaggle_uploads, monkeypatch):
    monkeypatch.setattr(kaggle_client, "TIMEOUT_S", 0.3)
    kaggle_uploads.silent["SaveKernel"] = 1
    with pytest.raises(ContractError, match=r"kernel .*timed out.*\(no answer: look at the connection, then run the"):
        send(plan)
    kaggle_uploads.silent["CreateCodeSubmission"] = 1
    with pytest.raises(ContractError, match=r"submission to .*it may have arrived all the same: look at your subm"):
        send(plan)


def test_an_error_of_the_scorer_is_said_with_its_reason(plan, kaggle_uploads):
    kaggle_uploads.submission_polls, kaggle_uploads.submission_error = ["ERROR"], "Notebook Timeout"
    with pytest.raises(ContractError, match="submission 31: error: Notebook Timeout"):
        send(plan)
    assert not (plan.run_dir / "scores.csv").exists()


def test_errors_of_the_client_carry_no_secrets(plan, kaggle_uploads, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    kaggle_uploads.web.posts["/v1/security.OAuthService/IntrospectToken"] = lambda headers, body: (
        200, {"Content-Type": "application/json"}, json.dumps({"active": True, "username": "jane"}).encode()
    )  # fmt: skip
    said = "no kernel for https://jane:s3cret-key@kaggle with Bearer t0ken"
    kaggle_uploads.refusals["SaveKernel"] = [(400, 400, said)]
    with pytest.raises(ContractError, match=r"with Bearer \*\*\*") as caught:
        send(plan)
    assert "t0ken" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    held = "".join(path.read_text(errors="replace") for path in plan.run_dir.glob("*.json"))
    assert "t0ken" not in held and "s3cret" not in held
