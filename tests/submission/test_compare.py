"""The run file: two validated models, the table, the files."""

import json

import pytest
from PIL import Image

from submission.compare import main, parse_arguments
from submission.validate import main as validate


@pytest.fixture
def two_runs(tmp_path, table_path, model_path):
    """The same model validated in two folders."""
    folders = []
    for name in ("first", "second"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "saved_model.pt").write_bytes(model_path.read_bytes())
        assert validate([str(folder / "saved_model.pt"), "--table", str(table_path), "--no-baselines"]) == 0
        folders.append(folder)
    return folders


def test_two_runs_are_compared_and_written_down(two_runs, capsys):
    capsys.readouterr()
    assert main([str(folder) for folder in two_runs]) == 0
    shown = capsys.readouterr().out
    assert "no difference: every query scores the same under a (first) and b (second)" in shown
    assert "mean of domains" in shown and "toys" in shown
    found = json.loads((two_runs[1] / "compare.json").read_text())
    assert found["verdict"] == "the same" and list(found["per_domain"]) == ["cars", "toys"]
    assert Image.open(two_runs[1] / "compare.png").format == "PNG"
    assert not (two_runs[0] / "compare.json").exists()


def test_the_files_go_where_they_are_told(two_runs, tmp_path):
    out_path = tmp_path / "elsewhere" / "ab.json"
    records = [str(folder / "validation.json") for folder in two_runs]
    assert main([*records, "--out", str(out_path)]) == 0
    assert sorted(path.name for path in out_path.parent.iterdir()) == ["ab.json", "ab.png"]
    with pytest.raises(SystemExit):
        parse_arguments([*records, "--out", "ab.txt"])


def test_a_run_that_was_not_validated_is_an_error(two_runs, tmp_path, capsys):
    assert main([str(tmp_path), str(two_runs[0])]) == 2
    assert "validation.json: no such file" in capsys.readouterr().err
    assert not (two_runs[0] / "compare.json").exists()
