"""The upload against a client that keeps what it was asked; no network."""

import json
from types import SimpleNamespace

import pytest

from data_prep.errors import ConfigError, ContractError
from data_prep.files import sha256_of_file
from submission import kaggle_steps
from submission.kaggle_steps import Target, plan_upload, upload
from submission.submission_zip import write_checked_zip

TARGET = Target("jane/guie-pack", "jane/guie-model", "google-universal-image-embedding")


class NotFound(Exception):
    response = SimpleNamespace(status_code=403)


class FakeKaggle:
    """The methods of KaggleApi 2.2.4 that an upload calls, answering as Kaggle does."""

    def __init__(self, dataset_version=None):
        self.dataset_version = dataset_version
        self.pending_polls = 1
        self.calls = []
        self.config_values = {"key": "s3cret-key"}
        self.kernel_statuses = ["QUEUED", "RUNNING", "COMPLETE"]
        self.output_names = ["submission.zip"]
        self.push_answer = SimpleNamespace(
            version_number=7, error="", invalid_dataset_sources=[], invalid_competition_sources=[]
        )

    def dataset_status(self, dataset, format=None):
        assert format == "json"
        if self.dataset_version is None:
            raise NotFound("403 Client Error")
        if self.pending_polls:
            self.pending_polls -= 1
            return json.dumps({"status": "not_yet_persisted", "current_version_number": self.dataset_version - 1})
        return json.dumps({"status": "ready", "current_version_number": self.dataset_version})

    def _keep_folder(self, call, folder, **more):
        files = {path.name: path.read_bytes() for path in kaggle_steps.Path(folder).iterdir()}
        self.calls.append((call, files, more))

    def dataset_create_new(self, folder, public=False, quiet=False, convert_to_csv=True):
        self._keep_folder("create", folder, public=public)
        self.dataset_version = 1
        return SimpleNamespace(status="ok", error=None)

    def dataset_create_version(self, folder, version_notes, quiet=False, convert_to_csv=True):
        self._keep_folder("version", folder, notes=version_notes)
        self.dataset_version += 1
        return SimpleNamespace(status="ok", error="")

    def kernels_push(self, folder, timeout=None, acc=None):
        self._keep_folder("push", folder)
        return self.push_answer

    def kernels_status(self, kernel):
        assert kernel == "jane/guie-pack"
        status = self.kernel_statuses.pop(0)
        return SimpleNamespace(status=SimpleNamespace(name=status), failure_message="no saved_model.pt")

    def kernels_list_files(self, kernel):
        return SimpleNamespace(files=[SimpleNamespace(name=name) for name in self.output_names])

    def competition_submit_code(self, file_name, message, competition, kernel, kernel_version, quiet=False):
        self.calls.append(("submit", file_name, message, competition, kernel, kernel_version))
        return SimpleNamespace(message="Successfully submitted")


@pytest.fixture
def plan(run_dir, monkeypatch):
    monkeypatch.setattr(kaggle_steps, "_POLL_SECONDS", 0.0)
    write_checked_zip(run_dir / "saved_model.pt", run_dir / "submission.zip")
    return plan_upload(run_dir, TARGET)


def test_the_plan_says_each_step(plan, run_dir):
    sha256 = sha256_of_file(run_dir / "saved_model.pt")
    assert plan.message == f"sample: local mMP@5 0.750, model {sha256[:12]}"
    steps = plan.steps()
    assert len(steps) == 4
    assert "private dataset jane/guie-model" in steps[0] and sha256[:12] in steps[0]
    assert "kernel jane/guie-pack" in steps[1]
    assert "google-universal-image-embedding" in steps[3]
    assert plan_upload(run_dir, TARGET, "mine").message == "mine"


def test_a_first_upload_creates_pushes_waits_and_submits(plan, run_dir):
    client, told = FakeKaggle(), []
    upload(plan, client, wait_s=5, tell=told.append)
    assert [call[0] for call in client.calls] == ["create", "push", "submit"]
    _, files, options = client.calls[0]
    assert files["saved_model.pt"] == (run_dir / "saved_model.pt").read_bytes()
    assert json.loads(files["dataset-metadata.json"])["id"] == "jane/guie-model"
    assert options == {"public": False}
    _, files, _ = client.calls[1]
    metadata = json.loads(files["kernel-metadata.json"])
    assert metadata["id"] == "jane/guie-pack" and metadata["title"] == "guie-pack"
    assert metadata["dataset_sources"] == ["jane/guie-model"] and metadata["is_private"] is True
    assert f'EXPECTED_SHA256 = "{plan.model_sha256}"' in files["pack_submission.py"].decode()
    compile(files["pack_submission.py"], "pack_submission.py", "exec")
    assert client.calls[2] == (
        "submit",
        "submission.zip",
        plan.message,
        "google-universal-image-embedding",
        "jane/guie-pack",
        7,
    )
    record = json.loads((run_dir / "upload.json").read_text())
    assert record["model_sha256"] == plan.model_sha256
    assert record["dataset_version"] == 1 and record["kernel_version"] == 7
    assert any("Successfully submitted" in line for line in told)
    assert not list(run_dir.glob("kaggle-dataset-*"))


def test_a_known_dataset_gets_a_new_version(plan):
    client = FakeKaggle(dataset_version=4)
    client.pending_polls = 0
    upload(plan, client, wait_s=5, tell=lambda line: None)
    assert [call[0] for call in client.calls] == ["version", "push", "submit"]
    assert client.calls[0][2] == {"notes": f"model {plan.model_sha256}"}


def fail_kernel(client):
    client.kernel_statuses = ["ERROR"]


def refuse_sources(client):
    client.push_answer.invalid_dataset_sources = ["jane/guie-model"]


def refuse_kernel(client):
    client.push_answer.error = "title too short"


def lose_output(client):
    client.output_names = ["other.txt"]


def stay_queued(client):
    client.kernel_statuses = ["QUEUED"] * 10**6


def refuse_dataset(client):
    client.dataset_create_new = lambda *_, **__: SimpleNamespace(status="error", error="already in use")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (fail_kernel, "kernel jane/guie-pack: ERROR: no saved_model.pt"),
        (refuse_sources, "refused the kernel jane/guie-pack: .'jane/guie-model'"),
        (refuse_kernel, "refused the kernel jane/guie-pack: title too short"),
        (lose_output, "expected submission.zip in its output, got other.txt"),
        (stay_queued, "kernel jane/guie-pack: not ready after 0 minutes"),
        (refuse_dataset, "refused the dataset jane/guie-model: already in use"),
    ],
)
def test_what_kaggle_refuses_stops_before_the_submission(plan, run_dir, spoil, message):
    client = FakeKaggle()
    spoil(client)
    with pytest.raises(ContractError, match=message):
        upload(plan, client, wait_s=0.2, tell=lambda line: None)
    assert "submit" not in [call[0] for call in client.calls]
    assert not (run_dir / "upload.json").exists()


def test_errors_of_the_client_carry_no_secrets(plan, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    client = FakeKaggle()

    def failing(*_, **__):
        raise RuntimeError("401 for https://jane:s3cret-key@kaggle with Bearer t0ken")

    client.kernels_push = failing
    with pytest.raises(
        ContractError, match=r"RuntimeError: 401 for https://jane:\*\*\*@kaggle with Bearer \*\*\*"
    ) as caught:
        upload(plan, client, wait_s=1, tell=lambda line: None)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_other_refusals_of_the_dataset_are_not_taken_for_a_new_one(plan):
    class Unauthorised(Exception):
        response = SimpleNamespace(status_code=401)

    client = FakeKaggle()

    def failing(*_, **__):
        raise Unauthorised("401 Client Error")

    client.dataset_status = failing
    with pytest.raises(ContractError, match="Unauthorised: 401 Client Error"):
        upload(plan, client, wait_s=1, tell=lambda line: None)
    assert client.calls == []


def test_the_chain_must_reach_the_zip(plan, run_dir, model_path):
    (run_dir / "submission.zip").unlink()
    with pytest.raises(ContractError, match=r"submission\.zip: no such file; make submission"):
        plan_upload(run_dir, TARGET)
    other_path = run_dir / "other.pt"
    other_path.write_bytes(model_path.read_bytes() + b" ")
    kaggle_steps.shutil.make_archive(str(run_dir / "wrong"), "zip", run_dir, "other.pt")
    import zipfile

    with zipfile.ZipFile(run_dir / "submission.zip", "w") as archive:
        archive.write(other_path, "saved_model.pt")
    with pytest.raises(ContractError, match=r"submission\.zip: holds model .* run make submission again"):
        plan_upload(run_dir, TARGET)


@pytest.mark.parametrize(
    "reference", ["guie-pack", "jane/guie", "jane/Guie-Pack", "jane/guie-pack/3", "jane/" + "x" * 51]
)
def test_references_kaggle_would_refuse_are_errors(reference):
    with pytest.raises(ConfigError, match=r"--kernel: got .* expected owner/name"):
        Target(reference, "jane/guie-model", "c")
    with pytest.raises(ConfigError, match="--dataset: got"):
        Target("jane/guie-pack", reference, "c")
