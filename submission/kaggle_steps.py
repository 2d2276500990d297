"""The steps of an upload, written against a Kaggle client that is handed in.

The client is `kaggle.api.kaggle_api_extended.KaggleApi` (2.2.4).
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import ContractError
from data_prep.progress import is_watched
from submission.evidence import MODEL_NAME, ZIP_NAME
from submission.kaggle_answers import AGAIN, asking, status_of, wait_until
from submission.upload_plan import KERNEL_DIR, KERNEL_SCRIPT, Plan
from submission.upload_record import SUBMISSION_KEYS, add_score, read_progress, write_progress


@dataclass(frozen=True)
class Patience:
    """Longest waits in seconds: for the dataset and the kernel, each; and for the score (the host may take 9 hours)."""

    step_s: float
    score_s: float


def upload(plan: Plan, client: Any, patience: Patience, tell: Callable[[str], None]) -> None:
    """Send the model, run the kernel, submit its output, wait for the score; each step that is not done yet.

    What is done stands in `upload.json` of the run folder after every step, so that the same command goes on where it
    was stopped; the score is added to `scores.csv`.

    Args:
        plan: from `plan_upload`.
        client: an authenticated Kaggle client.
        patience: how long to wait.
        tell: takes a line of progress.

    Raises:
        ContractError: Kaggle refused a step, or it did not end in time; secrets are taken out of the message.
    """
    record = read_progress(plan)

    def done(**more: Any) -> None:
        record.update(more)
        write_progress(plan, record)

    if "submission_ref" not in record:
        with asking(client, f"dataset {plan.target.dataset}", {403: "its owner must be your account"}):
            there, _ = _dataset_state(client, plan.target.dataset)
            if there != record.get("dataset_version", 0):
                record.pop("kernel_version", None)  # it packed an older model
                done(dataset_version=_send_dataset(plan, client, there, patience.step_s, tell))
        tell(f"dataset {plan.target.dataset}, version {record['dataset_version']}: ready")
        with asking(client, f"kernel {plan.target.kernel}", {403: "its owner must be your account"}):
            if "kernel_version" not in record:
                version = _push_kernel(plan, client)
                tell(f"kernel {plan.target.kernel}, version {version}: pushed")
                _wait_for_kernel(plan.target.kernel, client, patience.step_s, tell)
                done(kernel_version=version)
        tell(f"kernel {plan.target.kernel}, version {record['kernel_version']}: complete, {ZIP_NAME} is there")
        done(submission_ref=_submit(plan, client, record["kernel_version"], tell), message=plan.message)
    if "public_score" not in record:
        with asking(client, "the score", {}):
            public, private = _wait_for_score(plan, client, record["submission_ref"], patience.score_s, tell)
        done(public_score=public, private_score=private)
    path = add_score(plan, record)
    local = plan.evidence.validation["mMP@5"]
    shown = f"public {record['public_score'] or '-'}, private {record['private_score'] or '-'}"
    tell(f"submission {record['submission_ref']}: {shown}; local mMP@5 {local:.3f}; {path}")


def forget_submission(plan: Plan) -> None:
    """Let the next `upload` submit the same kernel output once more."""
    record = read_progress(plan)
    write_progress(plan, {key: value for key, value in record.items() if key not in SUBMISSION_KEYS})


def _send_dataset(
    plan: Plan, client: Any, earlier_version: int | None, wait_s: float, tell: Callable[[str], None]
) -> int:
    """Create the dataset, or a new version of it; its version when Kaggle has it ready and whole."""
    reference, quiet = plan.target.dataset, not is_watched()
    versions: list[int | None] = []
    with tempfile.TemporaryDirectory(prefix="kaggle-dataset-", dir=plan.run_dir) as folder:
        _link(plan.model_path, Path(folder) / MODEL_NAME)
        (Path(folder) / "dataset-metadata.json").write_text(json.dumps(plan.dataset_metadata()), encoding="utf-8")
        if earlier_version is None:
            answer = client.dataset_create_new(folder, public=False, quiet=quiet, convert_to_csv=False)
        else:
            notes = f"model {plan.model_sha256}"
            answer = client.dataset_create_version(folder, notes, quiet=quiet, convert_to_csv=False)
    if getattr(answer, "error", None) or getattr(answer, "status", "ok") == "error":
        raise ContractError(f"Kaggle refused the dataset {reference}: {getattr(answer, 'error', answer)}")

    def status() -> str:
        version, now = _dataset_state(client, reference)
        versions.append(version)
        return "not there yet" if version in (None, earlier_version) else now

    wait_until("ready", status, ("failed", "deleted"), wait_s, f"dataset {reference}", tell)
    _check_sent(plan, client)
    return versions[-1]


def _check_sent(plan: Plan, client: Any) -> None:
    """The client makes a dataset without the file when the file's upload fails, and calls that a success."""
    size = plan.model_path.stat().st_size
    held = {file.name: file.total_bytes for file in client.dataset_list_files(plan.target.dataset).dataset_files}
    if held.get(MODEL_NAME) != size:
        got = ", ".join(f"{name} ({n_bytes} bytes)" for name, n_bytes in held.items()) or "nothing"
        expected = f"{MODEL_NAME} ({size} bytes)"
        raise ContractError(f"dataset {plan.target.dataset}: expected {expected}, got {got}; {AGAIN}")


def _dataset_state(client: Any, reference: str) -> tuple[int | None, str]:
    """The current version and its status; None and "" where there is no such dataset."""
    try:
        found = json.loads(client.dataset_status(reference, format="json"))
        return found["current_version_number"], found["status"]
    except Exception as error:
        # Kaggle answers 403 for what does not exist, as for what belongs to somebody else.
        if status_of(error) in (403, 404):
            return None, ""
        raise


def _push_kernel(plan: Plan, client: Any) -> int:
    """Push the script with the model's hash filled in; the kernel's new version."""
    script = (KERNEL_DIR / KERNEL_SCRIPT).read_text(encoding="utf-8")
    placeholder = 'EXPECTED_SHA256 = ""'
    if script.count(placeholder) != 1:
        raise ContractError(f"{KERNEL_DIR / KERNEL_SCRIPT}: expected one line {placeholder!r}")
    with tempfile.TemporaryDirectory(prefix="kaggle-kernel-") as folder:
        (Path(folder) / "kernel-metadata.json").write_text(json.dumps(plan.kernel_metadata()), encoding="utf-8")
        filled = script.replace(placeholder, f'EXPECTED_SHA256 = "{plan.model_sha256}"')
        (Path(folder) / KERNEL_SCRIPT).write_text(filled, encoding="utf-8")
        answer = client.kernels_push(folder)
    if answer.invalid_competition_sources:
        raise ContractError(
            f"Kaggle refused the kernel {plan.target.kernel}: it may not attach {plan.target.competition}; accept the "
            f"rules at {plan.target.rules_page}, then {AGAIN}"
        )
    refused = answer.error or answer.invalid_dataset_sources
    if refused:
        raise ContractError(f"Kaggle refused the kernel {plan.target.kernel}: {refused}")
    return int(answer.version_number)


def _wait_for_kernel(kernel: str, client: Any, wait_s: float, tell: Callable[[str], None]) -> None:
    """Wait for the run's end; an error on Kaggle, or an output without the zip, is an error here."""
    reasons = []

    def status() -> str:
        answer = client.kernels_status(kernel)
        reasons.append(answer.failure_message)
        return answer.status.name.lower()

    ends = ("error", "cancel_requested", "cancel_acknowledged")
    wait_until("complete", status, ends, wait_s, f"kernel {kernel}", tell, reasons)
    names = [file.name for file in client.kernels_list_files(kernel).files or []]
    if ZIP_NAME not in names:
        held = ", ".join(names) or "nothing"
        raise ContractError(f"kernel {kernel}: expected {ZIP_NAME} in its output, got {held}")


def _submit(plan: Plan, client: Any, kernel_version: int, tell: Callable[[str], None]) -> int:
    """As `kaggle competitions submit -k KERNEL -v VERSION -f submission.zip -m MESSAGE`; the submission's number."""
    target = plan.target
    advice = {
        403: f"accept the rules at {target.rules_page}, then {AGAIN}",
        None: f"it may have arrived all the same: look at your submissions on kaggle.com; if it is not there, {AGAIN}",
    }
    with asking(client, f"submission to {target.competition}", advice):
        answer = client.competition_submit_code(
            ZIP_NAME, plan.message, target.competition, target.kernel, kernel_version, quiet=True
        )
    tell(f"submitted: {answer.message}")
    return answer.ref


def _wait_for_score(
    plan: Plan, client: Any, ref: int, wait_s: float, tell: Callable[[str], None]
) -> tuple[str, str]:
    """(public, private) as Kaggle writes them; the private one is empty until the competition's end."""
    found: dict[str, Any] = {}
    reasons = []

    def status() -> str:
        submissions = client.competition_submissions(plan.target.competition) or []
        mine = next((submission for submission in submissions if submission and submission.ref == ref), None)
        if mine is None:
            return "not listed yet"
        found["mine"] = mine
        reasons.append(mine.error_description)
        return mine.status.name.lower()

    wait_until("complete", status, ("error",), wait_s, f"submission {ref}", tell, reasons)
    return found["mine"].public_score, found["mine"].private_score


def _link(source: Path, target: Path) -> None:
    """Hard link where the file system can, else a copy: a model may have gigabytes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
