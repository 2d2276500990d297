"""A scored model whose right and wrong neighbours are known, and a run folder around it."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from submission.baselines import no_baselines
from submission.comparison import compare_runs
from submission.evaluation_set import EvaluationSet
from submission.query_scores import ScoredRun, query_table
from submission.report.page import Scored
from submission.scoring import Scoring, measure_score
from train.retrieval.protocol import EvaluationItems

HOSTILE = "</script><img src=x onerror=alert(1)>"


def embeddings_of(domains, classes, noise, seed=0):
    """Unit vectors around a centre a class; every third class of `mugs` lies where one of `toys` does."""
    rng = np.random.default_rng(seed)
    centres = {key: rng.standard_normal(16) for key in sorted(set(zip(domains, classes)))}
    for number, key in enumerate([key for key in centres if key[0] == "mugs"]):
        if number % 3 == 0:
            centres[key] = centres[("toys", key[1].replace("mug", "toy"))]
    rows = [centres[key] + noise * rng.standard_normal(16) for key in zip(domains, classes)]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def score_set(evaluation, embeddings):
    score, described = measure_score(embeddings, evaluation, Scoring())
    nothing = no_baselines("none <here>")
    record = {
        **described, "protocol": "ours", "index": "merged", "metric": "euclidean", "model_sha256": "a" * 64,
        "data_sha256": evaluation.data_sha256, "images_sha256": evaluation.images_sha256,
        "image_source": evaluation.source, "baselines": nothing.scores, "baselines_missing": nothing.missing,
        "n_queries": score.n_queries, "n_index": score.n_index,
    }
    return Scored(record, score, evaluation, embeddings)


@pytest.fixture
def evaluation(jpeg):
    """Two domains of six classes of six images, query and index at once; one class has a hostile name."""
    domains = ["mugs"] * 36 + ["toys"] * 36
    classes = [f"{kind} {number // 6}" for kind in ("mug", "toy") for number in range(36)]
    names = [HOSTILE if name == "toy 5" else name for name in classes]
    ids = [f"{domain}/{number:03d}.jpg" for number, domain in enumerate(domains)]
    items = EvaluationItems(domains, [(name,) for name in names], ["both"] * 72, ids)
    colours = ("red", "green", "blue")

    def read(row):
        return jpeg(colours[row // 6 % 3], row)

    return EvaluationSet(items, read, {"kind": "table", "path": "images.csv"}, "d" * 64, "i" * 64)


@pytest.fixture
def scored(evaluation):
    classes = [f"{kind} {number // 6}" for kind in ("mug", "toy") for number in range(36)]
    return score_set(evaluation, embeddings_of(evaluation.items.domains, classes, noise=0.6))


@pytest.fixture
def large(jpeg):
    """As many queries as the host has, and twice as many index images, in eleven domains of a hundred classes."""
    roles = ["query"] * 5_000 + ["index"] * 10_000
    numbers = [row % 1_100 for row in range(len(roles))]
    domains, names = [f"domain {number % 11}" for number in numbers], [f"thing {number}" for number in numbers]
    items = EvaluationItems(domains, [(name,) for name in names], roles, [str(row) for row in range(len(roles))])
    picture = jpeg("red", 0)
    evaluation = EvaluationSet(items, lambda row: picture, {"kind": "table", "path": "images.csv"}, "d" * 64, "i" * 64)
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((1_100, 16))[numbers] + 0.8 * rng.standard_normal((len(roles), 16))
    return score_set(evaluation, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


@pytest.fixture
def comparison(scored, evaluation):
    """`scored` beside a run that knows nothing."""
    blind = score_set(evaluation, np.random.default_rng(1).standard_normal((72, 16)).astype(np.float32))
    runs = [ScoredRun(name, some.record, query_table(some.score, evaluation.items))
            for name, some in (("blind", blind), ("sample", scored))]
    return compare_runs(*runs)


@pytest.fixture
def report_dir(tmp_path):
    """A run folder with learning curves and the verdicts of the export."""
    folder = tmp_path / "runs" / "sample"
    folder.mkdir(parents=True)
    rows = [{"stage": stage, "step": step, "images": 64 * step, "name": name, "value": value / (step + 1)}
            for stage in ("head", "all") for step in range(1, 4)
            for name, value in (("train/loss", 3), ("val/mMP@5", 1), ("val/mMP@5/toys", 0.9), ("val/mMP@5/other", 0.5))]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    checks = [{"name": "loads", "ok": True, "verdict": "passed", "detail": "in torch"},
              {"name": "host runtime", "ok": None, "verdict": "not run", "detail": "no torch 1.11 <here>"}]
    budget = {"verdict": "fits", "low_hours": 1.25, "high_hours": 2.5, "limit_hours": 9.0, "memory_gib": 0.94,
              "limit_memory_gib": 16.0}
    (folder / "export.json").write_text(json.dumps({"model_sha256": "a" * 64, "checks": checks, "budget": budget}))
    return folder


@pytest.fixture
def picture():
    """A function colour -> the bytes of a large picture of it."""
    def encoded(colour, size_px=(900, 400), kind="JPEG"):
        stream = io.BytesIO()
        Image.new("RGB", size_px, colour).save(stream, format=kind)
        return stream.getvalue()
    return encoded
