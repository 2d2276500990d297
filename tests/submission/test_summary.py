"""What the run files print."""

import doctest
import json

from rich.console import Console

from submission import summary


def render(table):
    console = Console(width=140)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_doctests_run_and_hold():
    result = doctest.testmod(summary)
    assert result.attempted >= 3 and result.failed == 0


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


def test_the_verdicts_name_contract_budget_and_zip(run_dir):
    export = json.loads((run_dir / "export.json").read_text())
    text = render(summary.verdict_table(export, "runs/sample/submission.zip"))
    assert "1 of 2 checks passed; not run: host runtime" in text
    assert "fits: 1.2 to 2.5 of 9 hours" in text
    assert "runs/sample/submission.zip" in text
