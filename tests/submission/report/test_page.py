"""The page: its numbers, its pictures, what it asks of the network (nothing), what is missing."""

import base64
import doctest
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from submission.report import page as page_module
from submission.report.page import write_report

VOID = {"meta", "link", "img", "input", "br", "path", "circle", "use"}


class Outline(HTMLParser):
    """Checks nesting while reading; keeps tags with their attributes, and the text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, text):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text.append(text)

    def all(self, tag, **wanted):
        return [found for name, found in self.tags if name == tag
                and all(value in (found.get(key) or "").split() for key, value in wanted.items())]


def read(path):
    outline = Outline()
    outline.feed(path.read_text(encoding="utf-8"))
    assert not outline.open
    return outline, " ".join(" ".join(outline.text).split())


@pytest.fixture
def page(scored, report_dir, comparison):
    path = report_dir / "report.html"
    write_report(path, scored, report_dir, [comparison])
    return path


def test_doctests_run_and_hold():
    result = doctest.testmod(page_module)
    assert result.attempted >= 1 and result.failed == 0


def test_every_domain_its_interval_and_the_headline_are_told(page, scored):
    text = read(page)[1]
    record = scored.record
    for domain, scores in record["per_domain"].items():
        low, high = record["per_domain_interval_95"][domain]
        assert f"{domain} {scores['mMP@5']:.3f} {low:.3f} – {high:.3f}" in text
        assert 0 < low < scores["mMP@5"] < high < 1
    assert f"{record['mMP@5']:.3f} mMP@5 Mean of 2 domains" in text
    assert "No baseline off_the_shelf: none <here>." in text
    assert "a" * 64 in text and "d" * 64 in text


def test_baselines_and_gain_stand_beside_the_score(scored, report_dir):
    record = scored.record
    record["baselines"]["off_the_shelf"] = {**record, "mMP@5": 0.1234}
    write_report(report_dir / "report.html", scored, report_dir, [])
    text = read(report_dir / "report.html")[1]
    assert "off the shelf" in text and "Before training: 0.123" in text
    assert f"{record['mMP@5'] - 0.1234:+.3f} 0.123" in text
    assert "Is it better" not in text  # no comparison was asked for


def test_the_comparison_says_its_verdict_in_words(page, comparison):
    text = read(page)[1]
    assert comparison["verdict"] == "better"
    assert re.search(r"sample is better than blind: \+0\.\d{3}, 95 % interval", text)
    assert f"toys {comparison['per_domain']['toys']['mMP@5']['a']:.3f}" in text


def test_the_gallery_frames_right_and_wrong(page, scored):
    outline, _ = read(page)
    shown = [found["class"].split()[0] for tag, found in outline.tags if tag == "li" and "class" in found]
    n_rows = len(outline.all("article"))
    assert shown.count("query-picture") == n_rows == len(scored.score.per_domain) * 24
    assert shown.count("right") + shown.count("wrong") == 5 * n_rows and min(map(shown.count, ("right", "wrong"))) > 9
    groups = [row["data-group"] for row in outline.all("article")]
    assert groups[:24] == ["worst"] * 8 + ["best"] * 8 + ["random"] * 8
    assert len({row["data-text"] for row in outline.all("article")}) > 20


def test_pictures_have_names_and_forms_have_labels(page):
    outline, _ = read(page)
    assert all(image["alt"] and image["src"].startswith("data:image/") for image in outline.all("img"))
    n_fields = len(outline.all("select")) + len(outline.all("input"))
    assert n_fields == len(outline.all("label")) == 4
    ids = [found["id"] for _, found in outline.tags if "id" in found]
    assert len(ids) == len(set(ids))
    for link in outline.all("a"):
        assert link["href"].startswith("#") and link["href"][1:] in ids
    for _, found in outline.tags:
        for name in (found.get("aria-labelledby") or "").split():
            assert name in ids
    viewport = outline.all("meta", name="viewport")[0]
    assert viewport["content"] == "width=device-width, initial-scale=1"


def test_nothing_is_asked_of_the_network_and_only_our_script_runs(page):
    content = page.read_text(encoding="utf-8")
    outline, _ = read(page)
    for _, found in outline.tags:
        for key in ("src", "href", "data", "action", "xlink:href"):
            assert re.match(r"data:|#|$", found.get(key) or ""), found
    assert not re.search(r"url\((?!#)", content) and "@import" not in content and "eval(" not in content
    policy = next(found["content"] for found in outline.all("meta") if found.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    script = re.search(r"<script>(.*?)</script>", content, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_a_hostile_class_name_stays_text(page):
    content = page.read_text(encoding="utf-8")
    assert "onerror=alert(1)&gt;" in content and "<img src=x" not in content
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', content, re.DOTALL)[1])
    assert "</script><img src=x onerror=alert(1)>" in data["points"]["classes"]


def test_contract_and_budget_are_told_or_why_not(scored, page, report_dir):
    text = read(page)[1]
    assert "1 of 2 checks passed; not run: host runtime" in text and "no torch 1.11 <here>" in text
    assert "Fits: 1.2 to 2.5 of 9 hours" in text
    path = report_dir / "export.json"
    for content, said in ((json.dumps({"model_sha256": "b" * 64, "checks": []}), "is about another model"),
                          ("{", "cannot be read: JSONDecodeError"), ("[]", "cannot be read"), (None, "is not there")):
        path.write_text(content) if content else path.unlink()
        write_report(page, scored, report_dir, [])
        text = read(page)[1]
        assert f"No verdict: {path} {said}" in text and "checks passed" not in text


def test_without_curves_or_a_map_the_page_says_so(scored, tmp_path):
    line = np.linspace(1, 2, len(scored.embeddings), dtype=np.float32)[:, None] * np.ones((1, 16), dtype=np.float32)
    write_report(tmp_path / "report.html", replace(scored, embeddings=line), tmp_path, [])
    text = read(tmp_path / "report.html")[1]
    assert "No metrics.jsonl beside the model" in text and "No map: PCA to 2 dimensions" in text


def test_the_same_scores_give_the_same_bytes(page, scored, report_dir, comparison):
    before = page.read_bytes()
    write_report(page, scored, report_dir, [comparison])
    assert page.read_bytes() == before and len(before) < 2_000_000
