import doctest
import json

from train import run_log
from train.run_log import append_metrics, draw_curves, drop_metrics_after, note_resume, read_metrics, write_environment


def row(stage, step, name="train/loss", value=1.0):
    return {"stage": stage, "step": step, "images": step * 8, "name": name, "value": value}


def test_doctest():
    result = doctest.testmod(run_log)
    assert (result.attempted, result.failed) == (2, 0)


def test_rows_read_back_and_a_torn_last_line_is_left_out(tmp_path):
    append_metrics(tmp_path, [row("a", 1), row("a", 2)])
    with open(tmp_path / "metrics.jsonl", "a") as stream:
        stream.write('{"stage": "a", "st')
    assert [r["step"] for r in read_metrics(tmp_path)] == [1, 2]
    assert read_metrics(tmp_path / "nowhere") == []


def test_a_resumed_stage_loses_what_it_will_write_again(tmp_path):
    append_metrics(tmp_path, [row("a", 5), row("b", 1), row("b", 2), row("b", 3)])
    drop_metrics_after(tmp_path, "b", 2)
    assert [(r["stage"], r["step"]) for r in read_metrics(tmp_path)] == [("a", 5), ("b", 1), ("b", 2)]


def test_curves_are_drawn_from_the_rows(tmp_path):
    append_metrics(tmp_path, [row("a", 1), row("a", 2, value=0.5), row("a", 2, "val/mMP@5", 0.4),
                              row("a", 2, "val/mMP@5/cars", 0.3), row("b", 1, value=0.2)])
    path = draw_curves(tmp_path)
    assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 5000


def test_environment_names_the_packages(tmp_path):
    write_environment(tmp_path)
    content = json.loads((tmp_path / "environment.json").read_text())
    assert content["packages"]["torch"] and content["n_threads"] >= 1


def test_going_on_is_recorded_and_a_difference_is_said(tmp_path):
    write_environment(tmp_path, n_processes=2)
    assert note_resume(tmp_path, 2) == []
    notes = note_resume(tmp_path, 4)
    assert len(notes) == 1 and "n_processes 4, it had 2" in notes[0]
    assert note_resume(tmp_path, 4) == []  # as the attempt before
    resumed = json.loads((tmp_path / "environment.json").read_text())["resumed"]
    assert [one["n_processes"] for one in resumed] == [2, 4, 4]
