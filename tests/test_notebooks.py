"""Notebooks call and look, nothing else; one after the other they lead from raw data to the zip."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = {  # what a test changes: assignments of the notebooks' own parameters
    "SCALE = 1.0": "SCALE = 0.2",
    "OVERRIDES = []": "OVERRIDES = ['stages.0.epochs=2', 'stages.0.image_px=64', 'stages.1.epochs=1', "
    "'stages.1.image_px=64', 'stages.2.epochs=1', 'stages.2.image_px=64']",
}


def code_cells(path):
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source_of(cell):
    return "".join(cell["source"])


def test_the_walk_found_them():
    names = ["01_data.ipynb", "02_train.ipynb", "03_validate.ipynb", "04_kaggle_submission.ipynb"]
    assert [path.name for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_few_cells_no_definitions_no_stored_outputs(path):
    cells = code_cells(path)
    source = "\n".join(source_of(cell) for cell in cells)
    assert 0 < len(cells) <= 10
    assert "def " not in source and "class " not in source
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


def test_all_begin_with_the_same_cell_that_finds_the_project():
    """Only what must be installed differs: the last one runs where the internet is off."""
    first = [source_of(code_cells(path)[0]).splitlines() for path in NOTEBOOKS]
    needed = [[line for line in lines if line.startswith("NEEDED = ")] for lines in first]
    assert [len(lines) for lines in needed] == [1] * 4 and needed[3] == ["NEEDED = ('torch', 'numpy', 'PIL')"]
    rest = {tuple(line for line in lines if not line.startswith("NEEDED = ")) for lines in first}
    assert len(rest) == 1 and "PROJECT_URL" in "".join(rest.pop())


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """As on Kaggle or Colab: an empty folder to work in, packages are there already; what the cells call."""
    asked = []

    def run(command, check):
        asked.append(command)
        (tmp_path / "universal-embedding" / "train").mkdir(parents=True)
        (tmp_path / "universal-embedding" / "train" / "fit.py").touch()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("NOTEBOOK_OUT", raising=False)
    monkeypatch.delenv("PROJECT_URL", raising=False)
    return asked


def test_outside_the_project_the_first_cell_clones_it(elsewhere, tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECT_URL", "https://example.org/project.git")
    names = {}
    exec(compile(source_of(code_cells(NOTEBOOKS[0])[0]), "first cell", "exec"), names)
    assert elsewhere == [["git", "clone", "--depth", "1", "https://example.org/project.git", "universal-embedding"]]
    assert names["PROJECT"] == tmp_path / "universal-embedding" == names["OUT"]


def test_without_an_address_the_first_cell_says_what_to_do(elsewhere):
    with pytest.raises(AssertionError, match="write its git address into PROJECT_URL, or attach it as a data set"):
        exec(compile(source_of(code_cells(NOTEBOOKS[0])[0]), "first cell", "exec"), {})
    assert elsewhere == []


class UnitModel(torch.nn.Module):
    """uint8 [1, 3, H, W] -> [1, 64] of length 1."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(image.float().mean(dim=[2, 3]).repeat(1, 22)[:, :64] + 1.0)


@pytest.mark.parametrize("folder", ["model", "datasets/jane/model"])  # however deep it is mounted
def test_the_last_one_runs_on_kaggle_without_the_internet(folder, elsewhere, tmp_path):
    """Every cell, with `/kaggle` made here: model and project attached, nothing cloned or installed."""
    attached = tmp_path / "kaggle" / "input" / folder
    attached.mkdir(parents=True)
    torch.jit.script(UnitModel()).save(str(attached / "saved_model.pt"))
    (attached.parent / "project").mkdir()
    (attached.parent / "project" / "universal-embedding").symlink_to(ROOT)
    working = tmp_path / "kaggle" / "working"
    working.mkdir()
    sha256 = hashlib.sha256((attached / "saved_model.pt").read_bytes()).hexdigest()
    cells = [source_of(cell).replace("/kaggle/", f"{tmp_path}/kaggle/") for cell in code_cells(NOTEBOOKS[3])]
    with pytest.raises(SystemExit, match="EXPECTED_SHA256 is model_sha256 in the run"):
        exec(compile("\n".join(cells), "04", "exec"), {})
    source = "\n".join(cells).replace("EXPECTED_SHA256 = ''", f"EXPECTED_SHA256 = '{sha256}'")
    exec(compile(source, "04", "exec"), {})
    with zipfile.ZipFile(working / "submission.zip") as archive:
        assert archive.read("saved_model.pt") == (attached / "saved_model.pt").read_bytes()
    assert elsewhere == [] and sorted(path.name for path in working.iterdir()) == ["submission.zip"]


@pytest.mark.slow
def test_one_after_the_other_they_lead_to_the_zip(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("NOTEBOOK_OUT", str(tmp_path))
    changed = set()
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for old, new in SMALL.items():
                if cell.cell_type == "code" and old in cell.source:
                    cell.source = cell.source.replace(old, new)
                    changed.add(old)
        NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}}).execute()
        said = "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
        assert "error:" not in said and "Traceback" not in said
    assert changed == set(SMALL)
    run_dir = tmp_path / "runs" / "quickstart"
    assert (run_dir / "submission.zip").is_file() and (run_dir / "report.html").is_file()
    assert not (ROOT / "notebooks" / "runs").exists()
