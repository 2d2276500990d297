"""What an upload will send: checked before anything leaves this machine."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import ConfigError, ContractError
from submission.evidence import MODEL_NAME, ZIP_NAME, Evidence, check_evidence
from submission.hosted_scorer import sha256_of_model

KERNEL_DIR = Path(__file__).parent / "kernel"
KERNEL_SCRIPT = "pack_submission.py"
_REFERENCE = re.compile(r"[A-Za-z0-9_-]+/[a-z0-9][a-z0-9-]{4,48}[a-z0-9]")


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

    @property
    def rules_page(self) -> str:
        return f"https://www.kaggle.com/c/{self.competition}/rules"


@dataclass(frozen=True)
class Plan:
    """All that will be sent, checked."""

    run_dir: Path
    evidence: Evidence
    target: Target
    message: str

    @property
    def model_path(self) -> Path:
        return self.evidence.model_path

    @property
    def model_sha256(self) -> str:
        return self.evidence.model_sha256

    def dataset_metadata(self) -> dict:
        """Content of the `dataset-metadata.json` that is sent with the model."""
        title = self.target.dataset.split("/")[1]
        return {"title": title, "id": self.target.dataset, "licenses": [{"name": "unknown"}]}

    def kernel_metadata(self) -> dict:
        """Content of the `kernel-metadata.json` that is sent with the script."""
        metadata = json.loads((KERNEL_DIR / "kernel-metadata.json").read_text(encoding="utf-8"))
        return metadata | {
            "id": self.target.kernel,
            "title": self.target.kernel.split("/")[1],  # a title that is its own slug
            "dataset_sources": [self.target.dataset],
            "competition_sources": [self.target.competition],
        }

    def steps(self) -> list[str]:
        """Every call of the Kaggle client that an upload makes, in order, with the metadata that is sent along."""
        short, size_mb = self.model_sha256[:12], self.model_path.stat().st_size / 1e6
        dataset, kernel, competition = self.target.dataset, self.target.kernel, self.target.competition
        as_command = shlex.join(["kaggle", "competitions", "submit", competition, "-k", kernel, "-v", "VERSION",
                                 "-f", ZIP_NAME, "-m", self.message])  # fmt: skip
        return [
            f"1. dataset_status({dataset}): is it there already?",
            f"2. dataset_create_new or, if it is, dataset_create_version: private dataset {dataset} with "
            f"{self.model_path} ({size_mb:.1f} MB, {short})",
            f"   dataset-metadata.json: {json.dumps(self.dataset_metadata())}",
            f"3. dataset_status until it is ready, dataset_list_files: {MODEL_NAME} has all its bytes",
            f"4. kernels_push: private script kernel {kernel} that packs {ZIP_NAME} and refuses any model but {short}",
            f"   kernel-metadata.json: {json.dumps(self.kernel_metadata())}",
            f"5. kernels_status until it is complete, kernels_list_files: {ZIP_NAME} is among its output",
            f"6. competition_submit_code, which is {as_command}",
            f"7. competition_submissions until it is scored; the score goes to {self.run_dir / 'scores.csv'}",
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
    return Plan(Path(run_dir), evidence, target, message or default)
