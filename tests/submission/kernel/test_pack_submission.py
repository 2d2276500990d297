"""The script that runs on Kaggle, run here on folders of the same layout."""

import hashlib
import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

KERNEL_DIR = Path(__file__).parents[3] / "submission" / "kernel"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("pack_submission", KERNEL_DIR / "pack_submission.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_attached_model_becomes_the_same_zip_as_here(script, tmp_path, model_path):
    from submission.submission_zip import write_checked_zip

    (tmp_path / "input" / "sample-model").mkdir(parents=True)
    (tmp_path / "input" / "sample-model" / "saved_model.pt").write_bytes(model_path.read_bytes())
    expected = hashlib.sha256(model_path.read_bytes()).hexdigest()
    zip_path = script.pack(script.find_model(tmp_path / "input", expected), tmp_path)
    assert zip_path == tmp_path / "submission.zip"
    write_checked_zip(model_path, tmp_path / "here.zip")
    assert zip_path.read_bytes()[:200] == (tmp_path / "here.zip").read_bytes()[:200]
    with zipfile.ZipFile(zip_path) as archive:
        assert archive.namelist() == ["saved_model.pt"]
        assert archive.read("saved_model.pt") == model_path.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("submission*")) == ["submission.zip"]


def test_the_model_with_the_right_hash_is_chosen_among_several(script, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pt").write_bytes(name.encode())
    assert script.find_model(tmp_path, hashlib.sha256(b"b").hexdigest()) == tmp_path / "b" / "saved_model.pt"


def test_a_stale_or_missing_model_ends_the_run(script, tmp_path):
    with pytest.raises(SystemExit, match=r"no saved_model\.pt 000000000000 under .*: none at all"):
        script.find_model(tmp_path, "0" * 64)
    (tmp_path / "saved_model.pt").write_bytes(b"old")
    with pytest.raises(SystemExit, match=hashlib.sha256(b"old").hexdigest()[:12]):
        script.find_model(tmp_path, "0" * 64)
    with pytest.raises(SystemExit, match=r"no hash filled in.*; EXPECTED_SHA256 is model_sha256 in"):
        script.find_model(tmp_path, script.EXPECTED_SHA256)


def test_the_metadata_asks_for_nothing_but_the_dataset_and_the_competition():
    metadata = json.loads((KERNEL_DIR / "kernel-metadata.json").read_text())
    assert metadata["code_file"] == "pack_submission.py" and (KERNEL_DIR / metadata["code_file"]).is_file()
    assert metadata["is_private"] is True
    assert metadata["enable_gpu"] is False and metadata["enable_internet"] is False
    assert metadata["competition_sources"] == ["google-universal-image-embedding"]
