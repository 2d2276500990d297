"""Runs on Kaggle: puts the attached dataset's saved_model.pt into submission.zip, if it is the expected file.

Standard library only and in one file: Kaggle is sent nothing else. The upload fills in EXPECTED_SHA256.
"""

import hashlib
import shutil
import zipfile
from pathlib import Path

EXPECTED_SHA256 = ""
INPUT_DIR = Path("/kaggle/input")
WORKING_DIR = Path("/kaggle/working")


def sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def find_model(input_dir: Path, expected_sha256: str) -> Path:
    """The attached `saved_model.pt` with the expected hash; a stale dataset version must not be submitted."""
    seen = []
    for path in sorted(input_dir.rglob("saved_model.pt")):
        got = sha256_of_file(path)
        if got == expected_sha256:
            return path
        seen.append(f"{path} is {got[:12]}")
    wanted = expected_sha256[:12] or "(no hash filled in)"
    raise SystemExit(
        f"no saved_model.pt {wanted} under {input_dir}: {', '.join(seen) or 'none at all'}; "
        "EXPECTED_SHA256 is model_sha256 in the run's validation.json"
    )


def pack(model_path: Path, working_dir: Path) -> Path:
    """Write submission.zip with the model at its root; it gets its name when it is whole."""
    zip_path = working_dir / "submission.zip"
    unfinished_path = working_dir / "submission.zip.unfinished"
    info = zipfile.ZipInfo("saved_model.pt", (1980, 1, 1, 0, 0, 0))
    info.external_attr = 0o644 << 16
    info.file_size = model_path.stat().st_size
    with (
        zipfile.ZipFile(unfinished_path, "w", zipfile.ZIP_STORED) as archive,
        open(model_path, "rb") as source,
        archive.open(info, "w") as target,
    ):
        shutil.copyfileobj(source, target, 1 << 20)
    unfinished_path.replace(zip_path)
    return zip_path


if __name__ == "__main__":
    packed_path = pack(find_model(INPUT_DIR, EXPECTED_SHA256), WORKING_DIR)
    print(f"{packed_path}: {packed_path.stat().st_size} bytes, model {EXPECTED_SHA256}")
