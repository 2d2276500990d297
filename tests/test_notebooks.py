"""Notebooks call and look, nothing else; one after the other they lead from raw data to the zip."""

import json
from pathlib import Path

import pytest

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
    first = {source_of(code_cells(path)[0]) for path in NOTEBOOKS}
    assert len(first) == 1 and "PROJECT_URL" in first.pop()


def test_outside_the_project_the_first_cell_clones_it(tmp_path, monkeypatch):
    """As on Kaggle or Colab: an empty folder, the address in PROJECT_URL; packages are there already."""
    import subprocess
    import sys

    asked = []

    def clone(command, check):
        asked.append(command)
        (tmp_path / "universal-embedding" / "train").mkdir(parents=True)
        (tmp_path / "universal-embedding" / "train" / "fit.py").touch()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", clone)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("NOTEBOOK_OUT", raising=False)
    monkeypatch.setenv("PROJECT_URL", "https://example.org/project.git")
    cell = source_of(code_cells(NOTEBOOKS[0])[0])
    names = {}
    exec(compile(cell, "first cell", "exec"), names)
    assert asked == [["git", "clone", "--depth", "1", "https://example.org/project.git", "universal-embedding"]]
    assert names["PROJECT"] == tmp_path / "universal-embedding" == names["OUT"]


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
