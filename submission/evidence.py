"""What a run folder proves about its model: contract, budget and score, all of them of the very same file."""

import json
from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import ContractError
from data_prep.files import sha256_of_file

MODEL_NAME = "saved_model.pt"
ZIP_NAME = "submission.zip"
# Checks of `export.json` that may be "not run" (ok: null): no host runtime on this machine; a budget that
# could not be modelled, or that the user waived when exporting.
MAY_BE_OPEN = ("host runtime", "budget")
_EXPORT_KEYS = ("model_sha256", "checkpoint_sha256", "checks")
_VALIDATION_KEYS = ("model_sha256", "mMP@5", "interval_95", "per_domain", "n_queries", "n_index", "baselines",
                    "embedding_dim", "data_sha256", "image_source")  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """`model_sha256` of the file in the run folder; `export` and `validation` as read from their JSON."""

    model_path: Path
    model_sha256: str
    export: dict
    validation: dict


def check_evidence(run_dir: Path) -> Evidence:
    """Read a run's evidence and refuse a model that it does not cover.

    Raises:
        ContractError: a file is missing, a check did not pass, or a record is of another model.
    """
    run_dir = Path(run_dir)
    model_path = run_dir / MODEL_NAME
    if not model_path.is_file():
        raise ContractError(f"{model_path}: no such file; make export RUN={run_dir.name} writes it")
    model_sha256 = sha256_of_file(model_path)
    export = _read_record(run_dir / "export.json", "export", _EXPORT_KEYS)
    validation = _read_record(run_dir / "validation.json", "validate", _VALIDATION_KEYS)
    _check_same_model(run_dir / "export.json", export, model_sha256, "export")
    _check_same_model(run_dir / "validation.json", validation, model_sha256, "validate")
    _check_export(run_dir / "export.json", export)
    return Evidence(model_path, model_sha256, export, validation)


def _check_same_model(path: Path, record: dict, model_sha256: str, step: str) -> None:
    got = str(record.get("model_sha256"))
    if got != model_sha256:
        raise ContractError(
            f"{path}: is about model {got[:12]}, but {MODEL_NAME} is {model_sha256[:12]}; run make {step} again"
        )


def _check_export(path: Path, export: dict) -> None:
    """Every check must have passed, except those that this machine, or the cost model, could not make."""
    checks = export.get("checks") or []
    if not checks:
        raise ContractError(f"{path}: holds no checks; run make export again")
    failed = [check for check in checks if check["ok"] is not True and not _may_be_open(check)]
    if failed:
        reasons = "; ".join(f"{check['name']}: {check['detail']}" for check in failed)
        raise ContractError(f"{path}: {len(failed)} of {len(checks)} checks did not pass: {reasons}")


def _may_be_open(check: dict) -> bool:
    return check["ok"] is None and check["name"] in MAY_BE_OPEN


def _read_record(path: Path, step: str, keys: tuple[str, ...]) -> dict:
    if not path.is_file():
        raise ContractError(f"{path}: no such file; make {step} writes it")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ContractError(f"{path}: not JSON: {error}; run make {step} again") from error
    if not isinstance(record, dict):
        raise ContractError(f"{path}: expected an object, got {type(record).__name__}; run make {step} again")
    missing = [key for key in keys if key not in record]
    if missing:
        raise ContractError(f"{path}: has no {', '.join(missing)}; run make {step} again")
    return record
