"""The steps of an upload, written against a Kaggle client that is handed in.

The client is `kaggle.api.kaggle_api_extended.KaggleApi` (2.2.4).
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import ConfigError, ContractError
from data_prep.kaggle_client import INVALID_CREDENTIALS, without_secrets
from data_prep.progress import is_watched
from submission.evidence import MODEL_NAME, ZIP_NAME
from submission.upload_plan import Plan
from submission.upload_record import SUBMISSION_KEYS, add_score, read_progress, write_progress

KERNEL_DIR = Path(__file__).parent / "kernel"
KERNEL_SCRIPT = "pack_submission.py"
_POLL_SECONDS = 10.0
_AGAIN = "run the same command again to go on"


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
        with _asking(client, f"dataset {plan.target.dataset}", {403: "its owner must be your account"}):
            there, _ = _dataset_state(client, plan.target.dataset)
            if there != record.get("dataset_version", 0):
                record.pop("kernel_version", None)  # it packed an older model
                done(dataset_version=_send_dataset(plan, client, there, patience.step_s, tell))
        tell(f"dataset {plan.target.dataset}, version {record['dataset_version']}: ready")
        with _asking(client, f"kernel {plan.target.kernel}", {403: "its owner must be your account"}):
            if "kernel_version" not in record:
                version = _push_kernel(plan, client)
                tell(f"kernel {plan.target.kernel}, version {version}: pushed")
                _wait_for_kernel(plan.target.kernel, client, patience.step_s, tell)
                done(kernel_version=version)
        tell(f"kernel {plan.target.kernel}, version {record['kernel_version']}: complete, {ZIP_NAME} is there")
        done(submission_ref=_submit(plan, client, record["kernel_version"], tell), message=plan.message)
    if "public_score" not in record:
        with _asking(client, "the score", {}):
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
        title = reference.split("/")[1]
        metadata = {"title": title, "id": reference, "licenses": [{"name": "unknown"}]}
        (Path(folder) / "dataset-metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
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

    _wait_until("ready", status, ("failed", "deleted"), wait_s, f"dataset {reference}", tell)
    _check_sent(plan, client)
    return versions[-1]


def _check_sent(plan: Plan, client: Any) -> None:
    """The client makes a dataset without the file when the file's upload fails, and calls that a success."""
    size = plan.model_path.stat().st_size
    held = {file.name: file.total_bytes for file in client.dataset_list_files(plan.target.dataset).dataset_files}
    if held.get(MODEL_NAME) != size:
        got = ", ".join(f"{name} ({n_bytes} bytes)" for name, n_bytes in held.items()) or "nothing"
        expected = f"{MODEL_NAME} ({size} bytes)"
        raise ContractError(f"dataset {plan.target.dataset}: expected {expected}, got {got}; {_AGAIN}")


def _dataset_state(client: Any, reference: str) -> tuple[int | None, str]:
    """The current version and its status; None and "" where there is no such dataset."""
    try:
        found = json.loads(client.dataset_status(reference, format="json"))
        return found["current_version_number"], found["status"]
    except Exception as error:
        # Kaggle answers 403 for what does not exist, as for what belongs to somebody else.
        if _status_of(error) in (403, 404):
            return None, ""
        raise


def _push_kernel(plan: Plan, client: Any) -> int:
    """Push the script with the model's hash filled in; the kernel's new version."""
    metadata = json.loads((KERNEL_DIR / "kernel-metadata.json").read_text(encoding="utf-8"))
    metadata |= {
        "id": plan.target.kernel,
        "title": plan.target.kernel.split("/")[1],  # a title that is its own slug
        "dataset_sources": [plan.target.dataset],
        "competition_sources": [plan.target.competition],
    }
    script = (KERNEL_DIR / KERNEL_SCRIPT).read_text(encoding="utf-8")
    placeholder = 'EXPECTED_SHA256 = ""'
    if script.count(placeholder) != 1:
        raise ContractError(f"{KERNEL_DIR / KERNEL_SCRIPT}: expected one line {placeholder!r}")
    with tempfile.TemporaryDirectory(prefix="kaggle-kernel-") as folder:
        (Path(folder) / "kernel-metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        filled = script.replace(placeholder, f'EXPECTED_SHA256 = "{plan.model_sha256}"')
        (Path(folder) / KERNEL_SCRIPT).write_text(filled, encoding="utf-8")
        answer = client.kernels_push(folder)
    if answer.invalid_competition_sources:
        raise ContractError(
            f"Kaggle refused the kernel {plan.target.kernel}: it may not attach {plan.target.competition}; accept the "
            f"rules at {plan.target.rules_page}, then {_AGAIN}"
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
    _wait_until("complete", status, ends, wait_s, f"kernel {kernel}", tell, reasons)
    names = [file.name for file in client.kernels_list_files(kernel).files or []]
    if ZIP_NAME not in names:
        held = ", ".join(names) or "nothing"
        raise ContractError(f"kernel {kernel}: expected {ZIP_NAME} in its output, got {held}")


def _submit(plan: Plan, client: Any, kernel_version: int, tell: Callable[[str], None]) -> int:
    """As `kaggle competitions submit -k KERNEL -v VERSION -f submission.zip -m MESSAGE`; the submission's number."""
    target = plan.target
    advice = {403: f"accept the rules at {target.rules_page}, then {_AGAIN}"}
    with _asking(client, f"submission to {target.competition}", advice):
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

    _wait_until("complete", status, ("error",), wait_s, f"submission {ref}", tell, reasons)
    return found["mine"].public_score, found["mine"].private_score


def _wait_until(
    wanted: str, status: Callable[[], str], ends: tuple[str, ...], wait_s: float, what: str,
    tell: Callable[[str], None], reasons: list[str] | None = None,
) -> None:  # fmt: skip
    """Ask for the status until it is the wanted one; every change is told, one of `ends` is an error."""
    deadline, last = time.monotonic() + wait_s, None
    while (now := status()) != wanted:
        if now in ends:
            raise ContractError(f"{what}: {now}: {(reasons or [''])[-1] or 'Kaggle gives no reason'}")
        if now != last:
            tell(f"{what}: {now}")
            last = now
        if time.monotonic() >= deadline:
            waited = f"{now} after {wait_s / 60:.0f} minutes"
            raise ContractError(f"{what}: {waited}; look at it on kaggle.com, then {_AGAIN}")
        time.sleep(min(_POLL_SECONDS, wait_s))


def _link(source: Path, target: Path) -> None:
    """Hard link where the file system can, else a copy: a model may have gigabytes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _status_of(error: Exception) -> int | None:
    """HTTP status of an error of the client; inside a successful answer the refusal is in the body."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    try:
        return int(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return response.status_code


@contextmanager
def _asking(client: Any, what: str, advice: Mapping[int, str]) -> Iterator[None]:
    """What the client raises, as ContractError with advice; without secrets, or a traceback that could hold headers."""
    known = {401: INVALID_CREDENTIALS, 429: f"too many requests; wait some minutes, then {_AGAIN}", **advice}
    try:
        yield
    except (ConfigError, ContractError) as error:
        raise type(error)(without_secrets(str(error), client)) from None
    except Exception as error:  # requests' and Kaggle's own types; all of them mean that the step failed
        status = _status_of(error)
        reason = without_secrets(f"{type(error).__name__}: {error}", client)
        hint = known.get(status, f"Kaggle is in trouble; {_AGAIN}" if status and status >= 500 else "")
        raise ContractError(f"Kaggle, {what}: {reason}{f' ({status}: {hint})' if hint else ''}") from None
