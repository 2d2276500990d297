"""Learning curves: which lines are drawn, in whose colours, and that they are whole SVG."""

import doctest
import re
from xml.etree import ElementTree

import pytest

from submission.report import curves
from submission.report.curves import draw_curves
from train.run_log import read_metrics


@pytest.fixture
def rows(report_dir):
    return read_metrics(report_dir)


def test_doctests_run_and_hold():
    result = doctest.testmod(curves)
    assert result.attempted >= 1 and result.failed == 0


def test_loss_and_scores_are_drawn_in_the_colours_of_the_page(rows):
    charts = draw_curves(rows, ["mugs", "toys"])
    assert list(charts) == ["Training loss", "Validation mMP@5, classes held out"]
    loss, scores = charts.values()
    for svg in charts.values():
        ElementTree.fromstring(svg.replace("xlink:", ""))
        assert svg.startswith('<svg viewBox="') and not re.search(r"#0[1-4][0-9a-f]{4}\b", svg)
        assert "head" in svg and "images" in svg and "DejaVu" not in svg
    assert "var(--ink)" in loss and "var(--domain" not in loss
    # toys is the second domain of the page; `other` is not on the page and has no colour there
    assert set(re.findall(r"var\(--domain-\d+\)", scores)) == {"var(--domain-1)"}


def test_ids_differ_between_the_charts_and_every_reference_is_met(rows):
    charts = draw_curves(rows, ["toys"])
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in charts.values()]
    assert not set(ids[0]) & set(ids[1]) and len(set(ids[0] + ids[1])) == len(ids[0] + ids[1])
    for svg, known in zip(charts.values(), ids):
        used = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
        assert used and set(used) <= set(known)


def test_nothing_is_drawn_of_nothing_and_the_same_is_drawn_twice(rows):
    assert draw_curves([], ["toys"]) == {}
    losses = [row for row in rows if row["name"] == "train/loss"]
    assert list(draw_curves(losses, [])) == ["Training loss"]
    assert draw_curves(rows, ["toys"]) == draw_curves(rows, ["toys"])


def test_long_runs_are_thinned():
    rows = [{"stage": "all", "step": step, "images": step, "name": "train/loss", "value": 1 / (step + 1)}
            for step in range(50_000)]
    assert len(draw_curves(rows, [])["Training loss"]) < 30_000
    xs, ys = curves._thinned([(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)])
    assert (xs.tolist(), ys.tolist()) == ([0.0, 1.0, 2.0], [1.0, 3.0, 2.0])
