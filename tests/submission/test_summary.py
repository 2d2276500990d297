"""What the run files print."""

import doctest
import json

from rich.console import Console

from submission import summary


def render(table, width=140):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_doctests_run_and_hold():
    result = doctest.testmod(summary)
    assert result.attempted >= 5 and result.failed == 0


def test_the_score_table_shows_before_after_and_gain(run_dir):
    text = render(summary.score_table(json.loads((run_dir / "validation.json").read_text())))
    toys = next(line for line in text.splitlines() if "toys" in line)
    # off the shelf, no PCA baseline, trained, gain over the better baseline, queries, index
    assert [cell.strip(" │") for cell in toys.split("│")[2:8]] == ["0.500", "-", "0.750", "+0.250", "12", "34"]
    assert "0.700 .. 0.800" in text


def test_without_baselines_there_is_no_gain(run_dir):
    validation = json.loads((run_dir / "validation.json").read_text())
    validation["baselines"] = dict.fromkeys(validation["baselines"])
    toys = next(line for line in render(summary.score_table(validation)).splitlines() if "toys" in line)
    assert [cell.strip(" │") for cell in toys.split("│")[2:6]] == ["-", "-", "0.750", "-"]


def test_numbers_stay_whole_on_a_narrow_terminal(run_dir):
    validation = json.loads((run_dir / "validation.json").read_text())
    for scores in (validation, *filter(None, validation["baselines"].values())):
        scores["per_domain"]["a_domain_with_a_rather_long_name"] = scores["per_domain"]["toys"]
    text = render(summary.score_table(validation), width=72)
    assert "…" not in text and max(map(len, text.splitlines())) <= 72
    assert text.count("0.750") == render(summary.score_table(validation)).count("0.750")


def test_tables_in_a_pipe_are_not_cut_to_80_columns(run_dir, capsys):
    export = json.loads((run_dir / "export.json").read_text())
    zip_path = "runs/" + "a" * 60 + "/submission.zip"
    summary.print_tables(summary.verdict_table(export, zip_path))
    assert zip_path in capsys.readouterr().out


def test_the_verdicts_name_contract_budget_and_zip(run_dir):
    export = json.loads((run_dir / "export.json").read_text())
    text = render(summary.verdict_table(export, "runs/sample/submission.zip"))
    assert "1 of 2 checks passed; not run: host runtime" in text
    assert "not proven on torch 1.11: no torch 1.11 here" in text
    assert "fits: 1.2 to 2.5 of 9 hours" in text
    assert "runs/sample/submission.zip" in text


def test_the_difference_table_marks_what_lies_beside_zero():
    def row(difference, verdict):
        return {"a": 0.5, "b": 0.5 + difference, "difference": difference, "low": difference - 0.02,
                "high": difference + 0.02, "share_better": 0.99, "n_queries": 40, "verdict": verdict}

    gain, noise = row(0.03, "better"), row(-0.01, "not told apart")
    found = {"a": {"name": "one"}, "b": {"name": "two"}, "mean": {"mMP@5": gain, "R@1": gain, "mAP@100": noise},
             "per_domain": {"toys": {"mMP@5": noise, "R@1": gain, "mAP@100": noise}}}
    lines = render(summary.difference_table(found), width=110).splitlines()
    cells = {line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:10]]
             for line in lines if "│" in line and "+" in line}
    assert cells["toys"] == ["0.500", "0.490", "-0.010", "-0.030 .. +0.010", "99 %", "+0.030*", "-0.010",
                             "not told apart"]
    assert cells["mean of domains"][2:4] == ["+0.030", "+0.010 .. +0.050"]
    assert "b (two) minus a (one)" in lines[0]
    assert "…" not in "".join(lines)  # the width of a log suffices
