"""The run file: dry run, exit codes. The steps themselves: test_kaggle_steps.py."""

import pytest

from data_prep import kaggle_client
from submission import upload
from submission.submission_zip import write_checked_zip


def test_a_dry_run_prints_the_steps_and_never_connects(run_dir, capsys, monkeypatch):
    write_checked_zip(run_dir / "saved_model.pt", run_dir / "submission.zip")
    monkeypatch.setattr(kaggle_client, "connect", lambda: pytest.fail("connected"))
    assert upload.main([str(run_dir), "--kernel", "jane/guie-pack", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "private dataset jane/guie-pack-model" in shown and "dry run: nothing was sent" in shown
    assert not (run_dir / "upload.json").exists()


def test_a_broken_chain_and_a_bad_reference_are_refused(run_dir, capsys):
    assert upload.main([str(run_dir), "--kernel", "jane/guie-pack", "--dry-run"]) == 1
    assert "submission.zip: no such file" in capsys.readouterr().err
    assert upload.main([str(run_dir), "--kernel", "guie", "--dry-run"]) == 2
    assert "--kernel: got 'guie'" in capsys.readouterr().err
