"""What a run folder proves about its model: contract, budget and score, all of them of the very same file."""

from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import ContractError
from data_prep.files import sha256_of_file
from submission.record_file import read_record

MODEL_NAME = "saved_model.pt"
ZIP_NAME = "submission.zip"
# Checks of `export.json` that may be "not run" (ok: null): no host runtime on this machine; a budget that
# could not be modelled, or that the user waived when exporting.
MAY_BE_OPEN = ("host runtime", "budget")
_HOST_NAME = "host_runtime.json"  # of a proof on the host's PyTorch after the export
_HOST_CHECK = "host runtime"
_EXPORT_KEYS = ("model_sha256", "checkpoint_sha256", "checks")
_VALIDATION_KEYS = ("model_sha256", "mMP@5", "interval_95", "per_domain", "n_queries", "n_index", "baselines",
                    "embedding_dim", "data_sha256", "image_source", "index")  # fmt: skip


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
    if run_dir.is_file():
        raise ContractError(f"{run_dir}: a file; give the run's folder, {run_dir.parent}")
    model_path = run_dir / MODEL_NAME
    if not model_path.is_file():
        raise ContractError(f"{model_path}: no such file; make export RUN={run_dir.name} writes it")
    model_sha256 = sha256_of_file(model_path)
    export = _read(run_dir / "export.json", "export", _EXPORT_KEYS)
    validation = _read(run_dir / "validation.json", "validate", _VALIDATION_KEYS)
    _check_same_model(run_dir / "export.json", export, model_sha256, "export")
    _check_same_model(run_dir / "validation.json", validation, model_sha256, "validate")
    export = {**export, "checks": _with_later_proof(run_dir / _HOST_NAME, export["checks"] or [], model_sha256)}
    _check_export(run_dir / "export.json", export)
    return Evidence(model_path, model_sha256, export, validation)


def _check_same_model(path: Path, record: dict, model_sha256: str, step: str) -> None:
    got = str(record.get("model_sha256"))
    if got != model_sha256:
        raise ContractError(
            f"{path}: is about model {got[:12]}, but {MODEL_NAME} is {model_sha256[:12]}; run make {step} again"
        )


def _with_later_proof(path: Path, checks: list[dict], model_sha256: str) -> list[dict]:
    """The checks of the export; that of the host's runtime as `export.host_runtime` found it later, if it did."""
    if not path.is_file():
        return checks
    record = _read(path, "host-runtime", ("model_sha256", "ok", "versions", "pictures"))
    if record["model_sha256"] != model_sha256:
        return checks  # of an earlier export: it says nothing of this file
    verdict = {True: "passed", False: "failed"}[bool(record["ok"])]
    worst = min((picture["cosine"] for picture in record["pictures"]), default=float("nan"))
    compared = f"torch {record['versions'].get('torch')}, {len(record['pictures'])} pictures"
    detail = record.get("error") or f"{compared}: cosine {worst:.7f} at least"
    proof = {"name": _HOST_CHECK, "ok": bool(record["ok"]), "verdict": verdict, "detail": f"{detail} ({path.name})"}
    return [proof if check["name"] == _HOST_CHECK else check for check in checks]


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


def _read(path: Path, step: str, keys: tuple[str, ...]) -> dict:
    if not path.is_file():
        raise ContractError(f"{path}: no such file; make {step} writes it")
    return read_record(path, keys, f"run make {step} again", ContractError)
