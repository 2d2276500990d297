"""The page: its numbers, its pictures, which queries it shows."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from submission.baselines import no_baselines
from submission.evaluation_set import read_table
from submission.report import THUMBNAIL_PX, choose_queries, draw_bars, write_report
from submission.scoring import Scoring, embed_set, measure_score


@pytest.fixture
def scored(model_path, table_path):
    evaluation = read_table(table_path)
    score, described = measure_score(embed_set(model_path, evaluation, "cpu", "test"), evaluation, Scoring())
    nothing = no_baselines("none <here>")
    validation = {
        **described,
        "protocol": "ours",
        "index": "merged",
        "metric": "euclidean",
        "model_sha256": "a" * 64,
        "data_sha256": "b" * 64,
        "images_sha256": "c" * 64,
        "image_source": evaluation.source,
        "baselines": nothing.scores,
        "baselines_missing": nothing.missing,
        "n_queries": score.n_queries,
        "n_index": score.n_index,
    }
    return validation, score, evaluation


def test_the_page_shows_every_domain_the_model_and_why_a_baseline_is_missing(scored, tmp_path):
    validation, score, evaluation = scored
    write_report(tmp_path / "report.html", validation, score, evaluation)
    page = (tmp_path / "report.html").read_text()
    for domain, scores in validation["per_domain"].items():
        assert f"<td>{domain}</td>" in page and f"<td>{scores['mMP@5']:.3f}</td>" in page
    assert "a" * 64 in page and "b" * 64 in page
    assert "none &lt;here&gt;" in page
    assert re.search(r'class="headline">0\.\d{3}', page)
    validation["baselines"]["off_the_shelf"] = {**validation, "mMP@5": 0.1234}
    write_report(tmp_path / "report.html", validation, score, evaluation)
    assert "off the shelf" in (tmp_path / "report.html").read_text()
    assert "<td>0.123</td>" in (tmp_path / "report.html").read_text()


def test_the_gallery_frames_hits_and_misses(scored, tmp_path):
    validation, score, evaluation = scored
    write_report(tmp_path / "report.html", validation, score, evaluation)
    page = (tmp_path / "report.html").read_text()
    shown = [query for domain in ("cars", "toys") for query in choose_queries(score, domain)]
    verdicts = re.findall(r'<div class="cell (\w+)"', page)
    expected = []
    for query in shown:
        expected += ["query"] + ["hit" if hit else "miss" for hit in score.hits[query]]
    assert verdicts == expected
    assert {"hit", "miss"} <= set(verdicts)
    first_query = evaluation.items.ids[score.query_rows[shown[0]]]
    assert re.search(rf'class="cell query" title="[^"]*{re.escape(first_query)}"', page)
    encoded = re.search(r'data:image/jpeg;base64,([^"]+)"', page).group(1)
    thumbnail = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert max(thumbnail.size) <= THUMBNAIL_PX


class FakeScore:
    def __init__(self, per_query):
        self.per_query = np.array(per_query)
        self.query_domains = np.array(["toys"] * len(per_query))


@pytest.mark.parametrize(
    ("n_hits", "n_failures", "expected"),
    [(10, 10, (3, 3)), (10, 1, (5, 1)), (1, 10, (1, 5)), (0, 10, (0, 6)), (2, 2, (2, 2)), (9, 0, (6, 0))],
)
def test_half_of_the_shown_queries_are_failures_where_there_are_enough(n_hits, n_failures, expected):
    score = FakeScore([1.0] * n_hits + [0.4] * n_failures)
    chosen = choose_queries(score, "toys")
    assert len(set(chosen)) == len(chosen)
    values = score.per_query[chosen]
    assert ((values == 1).sum(), (values < 1).sum()) == expected
    assert chosen == choose_queries(score, "toys")


def test_the_bars_are_a_picture(scored):
    validation = scored[0]
    image = Image.open(io.BytesIO(draw_bars(validation, {"off the shelf": validation})))
    assert image.format == "PNG" and image.width > 300
