"""Export and every check on the result: the file gets its final name only when nothing failed."""

import json
from pathlib import Path
from typing import Protocol

import PIL
import torch

from data_prep.errors import ContractError
from data_prep.files import sha256_of_file, writing_atomically
from export.archive import archive_version
from export.budget import Budget, estimate_budget
from export.contract import CheckResult, check_contract
from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission
from train.model.image_model import ImageModel

FORMAT = 1


class Exportable(Protocol):
    """What is needed of a loaded checkpoint, of one tower or several."""

    model: ImageModel
    sha256: str


def export_checked(
    checkpoint: Exportable, out_path: Path, out_dim: int = 64, allow_over_budget: bool = False, weights: str = "fp32"
) -> dict:
    """Write `out_path` and `export.json` beside it; the content of the latter is returned.

    `weights`: fp32 or fp16, how the towers' lie in the file.

    Raises:
        ContractError: a check failed; its name is in the message. Neither file is there then, not even from
            an earlier export: it would belong to another checkpoint.
    """
    out_path = Path(out_path)
    report_path = out_path.with_name("export.json")
    with writing_atomically(out_path) as unfinished_path:
        try:
            export_submission(checkpoint.model, unfinished_path, weights)
            budget = estimate_budget(unfinished_path)
            parity = check_parity(unfinished_path, checkpoint.model, sample_images())
            checks = [
                *check_contract(unfinished_path, out_dim),
                parity.check,
                budget_check(budget, allow_over_budget),
            ]
            _refuse_failed(checks, out_path)
        except ContractError:
            out_path.unlink(missing_ok=True)
            report_path.unlink(missing_ok=True)
            raise
        report = _report(checkpoint, unfinished_path, checks)
        # Before the model gets its name: a report never stands beside a model that it does not describe.
        report_path.unlink(missing_ok=True)
    report |= {
        "model": out_path.name,
        "out_dim": out_dim,
        "weights": weights,
        "parity": parity.to_dict(),
        "budget": budget.to_dict(),
    }
    with writing_atomically(report_path) as unfinished_path:
        unfinished_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def budget_check(budget: Budget, allow_over_budget: bool) -> CheckResult:
    """`fits` and `tight` pass, `over` fails unless allowed, `unknown` counts as not run."""
    detail = f"{budget.verdict}: {budget.reason}"
    if budget.verdict == "over" and allow_over_budget:
        return CheckResult("budget", None, f"{detail}; allowed by --allow-over-budget")
    return CheckResult("budget", {"over": False, "unknown": None}.get(budget.verdict, True), detail)


def _refuse_failed(checks: list[CheckResult], out_path: Path) -> None:
    failed = [check for check in checks if check.ok is False]
    if failed:
        reasons = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        raise ContractError(f"{out_path} was not written: {len(failed)} of {len(checks)} checks failed: {reasons}")


def _report(checkpoint: Exportable, model_path: Path, checks: list[CheckResult]) -> dict:
    """What `export.json` says of the file itself."""
    return {
        "format": FORMAT,
        "model_sha256": sha256_of_file(model_path),
        "model_bytes": model_path.stat().st_size,
        "checkpoint_sha256": checkpoint.sha256,
        "archive_version": archive_version(model_path),
        "versions": {"torch": torch.__version__, "pillow": PIL.__version__},
        "checks": [{"name": c.name, "ok": c.ok, "verdict": c.verdict, "detail": c.detail} for c in checks],
    }
