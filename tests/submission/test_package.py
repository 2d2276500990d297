"""The run file: exit codes, the final table, and no zip where the evidence does not hold."""

import json

from submission.package import main


def test_a_run_with_whole_evidence_is_packed_and_summarised(run_dir, capsys):
    assert main([str(run_dir)]) == 0
    shown = capsys.readouterr().out
    assert (run_dir / "submission.zip").is_file()
    for part in ("toys", "0.500", "0.750", "checks passed", "fits", "submission.zip"):
        assert part in shown


def test_a_failed_check_is_named_and_no_zip_is_left(run_dir, capsys):
    export = json.loads((run_dir / "export.json").read_text())
    export["checks"].append({"name": "operators", "ok": False, "detail": "aten::new_one"})
    (run_dir / "export.json").write_text(json.dumps(export))
    assert main([str(run_dir)]) == 1
    assert "operators: aten::new_one" in capsys.readouterr().err
    assert not (run_dir / "submission.zip").exists()


def test_a_run_that_is_not_there_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path / "none")]) == 1
    assert "saved_model.pt: no such file" in capsys.readouterr().err
