"""`report.html`: one file that says how good the exported model is, where it fails, and what that rests on."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.files import writing_atomically
from submission.comparison import verdict_in_words
from submission.evaluation_set import EvaluationSet
from submission.report.confusion import measure_confusion
from submission.report.curves import draw_curves
from submission.report.embedding_map import HEIGHT, WIDTH, EmbeddingMap, draw_map
from submission.report.gallery import GROUPS, build_gallery, class_name, shown_rows
from submission.report.suspected_copies import MAX_BITS, MIN_COSINE, find_suspected_copies
from submission.report.thumbnails import encode_thumbnails
from submission.summary import BASELINE_TITLES, describe_budget, describe_checks
from train.retrieval.protocol import RetrievalScore
from train.run_log import read_metrics

FOLDER = Path(__file__).parent
_GOLDEN_ANGLE = 137.508  # degrees: neighbouring domains get hues far apart, however many there are


@dataclass(frozen=True)
class Scored:
    """A scored model: `record` is the content of its `validation.json`, `embeddings` float32 [M, D] of all items."""

    record: dict
    score: RetrievalScore
    evaluation: EvaluationSet
    embeddings: np.ndarray


def write_report(path: Path, scored: Scored, run_dir: Path, comparisons: list[dict]) -> None:
    """Write the report of a scored model.

    The page asks nothing of the network: pictures, style and script are inside, and its content security policy
    forbids the rest. The same input gives the same bytes.

    Args:
        path: of the page.
        scored: the model's scores.
        run_dir: folder of the run; its `metrics.jsonl` and `export.json` are shown where they are there.
        comparisons: with other runs, as `submission.comparison.compare_runs` gives them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )
    start = _axis_start(scored.record)
    # Percent of the axis; uned-reference can give a domain less than nothing.
    environment.filters["place"] = lambda score: round(100 * max(0.0, score - start) / (1 - start), 2)
    environment.filters |= {"score": "{:.3f}".format, "signed": "{:+.3f}".format, "count": "{:,}".format}
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html").render(
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        run_name=run_dir.resolve().name,
        axis_start=f"{start:g}",
        **_describe_comparisons(comparisons, run_dir.resolve().name),
        **_describe_scores(scored.record),
        **_describe_pictures(scored),
        **_describe_run(run_dir, scored.record),
    )
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(page, encoding="utf-8")


def _describe_scores(record: dict) -> dict:
    """The record, its baselines by title, and each domain's colour."""
    baselines = {
        title: record["baselines"][name] for name, title in BASELINE_TITLES.items() if record["baselines"].get(name)
    }
    before = {
        domain: [baseline["per_domain"][domain]["mMP@5"] for baseline in baselines.values()]
        for domain in record["per_domain"]
    }
    weakest = min(record["per_domain"], key=lambda domain: record["per_domain"][domain]["mMP@5"])
    return {"validation": record, "baselines": baselines, "before": before, "weakest": weakest}


def _axis_start(record: dict) -> float:
    """Where the axis of the scores begins: the quarter below everything that is drawn on it.

    >>> _axis_start({"per_domain_interval_95": {"toys": [0.61, 0.8]}, "baselines": {"off_the_shelf": None}})
    0.5
    """
    drawn = [low for low, _ in record["per_domain_interval_95"].values()]
    for baseline in filter(None, record["baselines"].values()):
        drawn += [scores["mMP@5"] for scores in baseline["per_domain"].values()]
    return max(0.0, min(0.75, int(min(drawn) * 4) / 4))


def _describe_comparisons(comparisons: list[dict], run_name: str) -> dict:
    """Each comparison, its verdict in words, and the widest interval, which the drawing must hold."""
    rows = [[*found["per_domain"].values(), found["mean"]] for found in comparisons]
    ends = [[abs(row["mMP@5"][end]) for row in some for end in ("low", "high")] for some in rows]
    return {
        "comparisons": comparisons,
        "words": [verdict_in_words(found["mean"]["mMP@5"], found["a"]["name"], run_name) for found in comparisons],
        "reaches": [max(0.001, 1.05 * max(some)) for some in ends],
    }


def _describe_pictures(scored: Scored) -> dict:
    """Everything drawn from embeddings and images: gallery, confusion, map, suspected copies, their thumbnails."""
    evaluation = scored.evaluation
    gallery = build_gallery(scored.score, evaluation)
    copies = find_suspected_copies(scored.embeddings, evaluation, scored.score)
    rows = shown_rows(gallery) | {row for pair in copies.pairs + copies.twins for row in (pair.row_a, pair.row_b)}
    drawn_map = _map_or_reason(scored)
    points = drawn_map.points if isinstance(drawn_map, EmbeddingMap) else None
    domains = sorted(set(evaluation.items.domains))
    return {
        "gallery": gallery,
        "groups": GROUPS,
        "confusion": measure_confusion(scored.score, evaluation.items.domains),
        "copies": copies,
        "copy_rules": {"cosine": MIN_COSINE, "bits": MAX_BITS},
        "thumbnails": encode_thumbnails(evaluation, rows),
        "items": evaluation.items,
        "name_of": lambda row: class_name(evaluation, row),
        "map": drawn_map,
        "map_size": (WIDTH, HEIGHT),
        "domains": domains,
        "hues": [round(25 + number * _GOLDEN_ANGLE) % 360 for number in range(len(domains))],
        # "<" written so that no class name can end the script element.
        "data": json.dumps({"points": points, "domains": domains}, separators=(",", ":")).replace("<", "\\u003c"),
    }


def _map_or_reason(scored: Scored) -> EmbeddingMap | str:
    try:
        return draw_map(scored.embeddings, scored.evaluation)
    except ValueError as error:  # all images on one point or line
        return str(error)


def _describe_run(run_dir: Path, record: dict) -> dict:
    """What the run folder holds beside the model: learning curves, contract, budget."""
    domains = sorted(record["per_domain"])
    described = {"curves": draw_curves(read_metrics(run_dir), domains), "export": None, "contract": "", "budget": ""}
    path = run_dir / "export.json"
    try:
        export = json.loads(path.read_text(encoding="utf-8"))
        checks, budget = describe_checks(export["checks"]), describe_budget(export.get("budget") or {})
    except FileNotFoundError:
        return described | {"export_missing": f"{path} is not there; python -m export.convert writes it"}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        return described | {"export_missing": f"{path} cannot be read: {type(error).__name__}: {error}"}
    if export.get("model_sha256") != record["model_sha256"]:
        return described | {"export_missing": f"{path} is about another model; export again"}
    return described | {"export": export, "contract": checks, "budget": budget, "export_missing": ""}
