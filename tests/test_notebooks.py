"""Notebooks call and plot, nothing else; the quickstart runs from top to bottom."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_the_walk_found_them():
    assert [path.name for path in NOTEBOOKS] == ["quickstart.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_few_cells_no_definitions_no_stored_outputs(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    assert 0 < len(cells) <= 10
    assert "def " not in source and "class " not in source
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow
def test_the_quickstart_runs(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("NOTEBOOK_OUT", str(tmp_path))
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    parameters = next(cell for cell in notebook.cells if cell.cell_type == "code")
    parameters.source = (
        "SCALE = 0.2\nRUN = 'quickstart'\nOVERRIDES = ['stages.0.epochs=2', 'stages.0.image_px=64', "
        "'stages.1.epochs=1', 'stages.1.image_px=64', 'stages.2.epochs=1', 'stages.2.image_px=64']"
    )
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(ROOT)}}).execute()
    assert (tmp_path / "runs" / "quickstart" / "submission.zip").is_file()
