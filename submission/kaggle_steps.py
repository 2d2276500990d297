"""The steps of an upload, written against a Kaggle client that is handed in.

The client is `kaggle.api.kaggle_api_extended.KaggleApi` (2.2.4), or anything with the same methods.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import ConfigError, ContractError
from data_prep.files import writing_atomically
from data_prep.kaggle_client import without_secrets
from submission.evidence import MODEL_NAME, ZIP_NAME, check_evidence
from submission.hosted_scorer import sha256_of_model

KERNEL_DIR = Path(__file__).parent / "kernel"
KERNEL_SCRIPT = "pack_submission.py"
_REFERENCE = re.compile(r"[A-Za-z0-9_-]+/[a-z0-9][a-z0-9-]{4,48}[a-z0-9]")
_POLL_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """Where it goes: `kernel` and `dataset` as owner/name, and the competition's name.

    Raises:
        ConfigError: a reference that Kaggle would not take.
    """

    kernel: str
    dataset: str
    competition: str

    def __post_init__(self) -> None:
        for what, reference in (("--kernel", self.kernel), ("--dataset", self.dataset)):
            if not _REFERENCE.fullmatch(reference):
                raise ConfigError(
                    f"{what}: got {reference!r}, expected owner/name, the name of 6 to 50 "
                    "lower-case letters, digits and hyphens"
                )


@dataclass(frozen=True)
class Plan:
    """All that will be sent, checked."""

    run_dir: Path
    model_path: Path
    model_sha256: str
    target: Target
    message: str

    def steps(self) -> list[str]:
        """What `upload` does, a line a step."""
        short = self.model_sha256[:12]
        size_mb = self.model_path.stat().st_size / 1e6
        return [
            f"1. private dataset {self.target.dataset}: {self.model_path} ({size_mb:.1f} MB, {short})",
            f"2. private script kernel {self.target.kernel}: packs {ZIP_NAME}, refuses any other model",
            f"3. wait until the kernel is complete and {ZIP_NAME} is among its output",
            f"4. submit that output to {self.target.competition}: {self.message}",
        ]


def plan_upload(run_dir: Path, target: Target, message: str | None = None) -> Plan:
    """Check the chain zip -> saved_model.pt -> export.json and validation.json, and say what would be sent.

    Raises:
        ContractError: the chain is broken, or there is no zip.
    """
    evidence = check_evidence(run_dir)
    expected = evidence.model_sha256
    zip_path = Path(run_dir) / ZIP_NAME
    if not zip_path.is_file():
        raise ContractError(f"{zip_path}: no such file; make submission writes it")
    got = sha256_of_model(zip_path)
    if got != expected:
        raise ContractError(
            f"{zip_path}: holds model {got[:12]}, but {MODEL_NAME} is {expected[:12]}; run make submission again"
        )
    score = evidence.validation["mMP@5"]
    default = f"{Path(run_dir).name}: local mMP@5 {score:.3f}, model {expected[:12]}"
    return Plan(Path(run_dir), evidence.model_path, expected, target, message or default)


def upload(plan: Plan, client: Any, wait_s: float, tell: Callable[[str], None]) -> None:
    """Send the model, run the kernel, submit its output; leaves `upload.json` in the run folder.

    Args:
        plan: from `plan_upload`.
        client: an authenticated Kaggle client.
        wait_s: longest wait for the dataset and for the kernel, each.
        tell: takes a line of progress.

    Raises:
        ContractError: Kaggle refused a step, or it did not end in time; secrets are taken out of the message.
    """
    with _teaching_errors(client):
        dataset_version = _send_dataset(plan, client, wait_s)
        tell(f"dataset {plan.target.dataset}, version {dataset_version}: ready")
        kernel_version = _push_kernel(plan, client)
        tell(f"kernel {plan.target.kernel}, version {kernel_version}: pushed")
        _wait_for_kernel(plan.target.kernel, client, wait_s)
        tell(f"kernel {plan.target.kernel}: complete, {ZIP_NAME} is there")
        answer = client.competition_submit_code(
            ZIP_NAME, plan.message, plan.target.competition, plan.target.kernel, kernel_version, quiet=True
        )
    tell(f"submitted: {getattr(answer, 'message', '')}")
    record = {
        "model_sha256": plan.model_sha256,
        "dataset": plan.target.dataset,
        "dataset_version": dataset_version,
        "kernel": plan.target.kernel,
        "kernel_version": kernel_version,
        "competition": plan.target.competition,
        "message": plan.message,
    }
    with writing_atomically(plan.run_dir / "upload.json") as unfinished_path:
        unfinished_path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _send_dataset(plan: Plan, client: Any, wait_s: float) -> int:
    """Create the dataset, or a new version of it; its version when Kaggle has it ready."""
    reference = plan.target.dataset
    earlier_version = _dataset_version(client, reference)
    with tempfile.TemporaryDirectory(prefix="kaggle-dataset-", dir=plan.run_dir) as folder:
        _link(plan.model_path, Path(folder) / MODEL_NAME)
        title = reference.split("/")[1]
        metadata = {"title": title, "id": reference, "licenses": [{"name": "unknown"}]}
        (Path(folder) / "dataset-metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        if earlier_version is None:
            answer = client.dataset_create_new(folder, public=False, quiet=True, convert_to_csv=False)
        else:
            notes = f"model {plan.model_sha256}"
            answer = client.dataset_create_version(folder, notes, quiet=True, convert_to_csv=False)
    if getattr(answer, "error", None) or getattr(answer, "status", "ok") == "error":
        raise ContractError(f"Kaggle refused the dataset {reference}: {getattr(answer, 'error', answer)}")

    def is_ready() -> bool:
        found = json.loads(client.dataset_status(reference, format="json"))
        if found["status"] == "failed":
            raise ContractError(f"Kaggle could not process the dataset {reference}")
        return found["status"] == "ready" and found["current_version_number"] > (earlier_version or 0)

    _wait(is_ready, wait_s, f"dataset {reference}")
    return _dataset_version(client, reference) or 0


def _dataset_version(client: Any, reference: str) -> int | None:
    """The current version; None where there is no such dataset."""
    try:
        return json.loads(client.dataset_status(reference, format="json"))["current_version_number"]
    except Exception as error:
        # Kaggle answers 403 for what does not exist, as for what belongs to somebody else.
        if getattr(getattr(error, "response", None), "status_code", None) in (403, 404):
            return None
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
    refused = getattr(answer, "error", None) or [
        *(getattr(answer, "invalid_dataset_sources", None) or []),
        *(getattr(answer, "invalid_competition_sources", None) or []),
    ]
    if refused:
        raise ContractError(f"Kaggle refused the kernel {plan.target.kernel}: {refused}")
    return int(answer.version_number)


def _wait_for_kernel(kernel: str, client: Any, wait_s: float) -> None:
    """Wait for the run's end; an error on Kaggle, or an output without the zip, is an error here."""

    def is_complete() -> bool:
        answer = client.kernels_status(kernel)
        status = getattr(answer.status, "name", str(answer.status)).upper()
        if status in ("ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED"):
            raise ContractError(f"kernel {kernel}: {status}: {getattr(answer, 'failure_message', '')}")
        return status == "COMPLETE"

    _wait(is_complete, wait_s, f"kernel {kernel}")
    names = [file.name for file in client.kernels_list_files(kernel).files or []]
    if ZIP_NAME not in names:
        held = ", ".join(names) or "nothing"
        raise ContractError(f"kernel {kernel}: expected {ZIP_NAME} in its output, got {held}")


def _wait(is_done: Callable[[], bool], wait_s: float, what: str) -> None:
    end = time.monotonic() + wait_s
    while not is_done():
        if time.monotonic() >= end:
            raise ContractError(f"{what}: not ready after {wait_s / 60:.0f} minutes; look at it on kaggle.com")
        time.sleep(min(_POLL_SECONDS, wait_s))


def _link(source: Path, target: Path) -> None:
    """Hard link where the file system can, else a copy: a model may have gigabytes."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _teaching_errors(client: Any):
    """What the client raises, as ContractError without secrets or a traceback, which could hold headers."""
    try:
        yield
    except (ConfigError, ContractError) as error:
        raise type(error)(without_secrets(str(error), client)) from None
    except Exception as error:  # requests' and Kaggle's own types; all of them mean that the step failed
        reason = without_secrets(f"{type(error).__name__}: {error}", client)
        raise ContractError(f"Kaggle: {reason}") from None
