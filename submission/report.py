"""`report.html`: one page with the score per domain beside the baselines, and neighbours to look at."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.files import writing_atomically
from submission.evaluation_set import EvaluationSet
from submission.hosted_scorer import open_image
from submission.summary import BASELINE_TITLES
from train.retrieval.protocol import RetrievalScore

TEMPLATE_PATH = Path(__file__).parent / "report_template.html"
THUMBNAIL_PX = 112
_QUERIES_PER_DOMAIN = 6


@dataclass(frozen=True)
class GalleryImage:
    """A thumbnail as a data URL; `verdict`: 'query', 'hit' or 'miss'."""

    url: str
    verdict: str
    caption: str


@dataclass(frozen=True)
class GalleryRow:
    """A query, its nearest images, its own mMP@5, and its class."""

    images: list[GalleryImage]
    score: float
    class_name: str


def write_report(path: Path, validation: dict, score: RetrievalScore, evaluation: EvaluationSet) -> None:
    """Write the report; `validation` is the content of `validation.json`, `score` the model's."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE_PATH.read_text(encoding="utf-8"))
    gallery = {
        domain: [_gallery_row(score, evaluation, query) for query in choose_queries(score, domain)]
        for domain in score.per_domain
    }
    baselines = {
        title: validation["baselines"][name]
        for name, title in BASELINE_TITLES.items()
        if validation["baselines"].get(name)
    }
    page = template.render(
        validation=validation,
        baselines=baselines,
        before={
            domain: [baseline["per_domain"][domain] for baseline in baselines.values()]
            for domain in validation["per_domain"]
        },
        missing=validation["baselines_missing"],
        chart=_data_url(draw_bars(validation, baselines), "png"),
        gallery=gallery,
        thumbnail_px=THUMBNAIL_PX,
    )
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(page, encoding="utf-8")


def choose_queries(score: RetrievalScore, domain: str, n_queries: int = _QUERIES_PER_DOMAIN) -> list[int]:
    """Positions of queries to show: half of them failures where there are enough, the same ones every time.

    A failure has an mMP@5 below 1. Among failures and among hits the choice is random with a fixed seed, so
    the page shows what is typical and not the best or worst.
    """
    rng = np.random.default_rng(0)
    of_domain = rng.permutation(np.flatnonzero(score.query_domains == domain))
    failures = [query for query in of_domain.tolist() if score.per_query[query] < 1]
    hits = [query for query in of_domain.tolist() if score.per_query[query] >= 1]
    n_hits = min(len(hits), max(n_queries // 2, n_queries - len(failures)))
    return hits[:n_hits] + failures[: n_queries - n_hits]


def draw_bars(validation: dict, baselines: dict[str, dict]) -> bytes:
    """PNG: mMP@5 of each domain and of their mean, a bar a baseline and one for the model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    domains = list(validation["per_domain"])
    series = {**baselines, "trained": validation}
    figure, axes = pyplot.subplots(figsize=(11, 4), layout="constrained")  # as wide as the page
    width = 0.8 / len(series)
    for number, ((title, scores), colour) in enumerate(zip(series.items(), _colours(len(series)), strict=True)):
        heights = [scores["per_domain"][domain]["mMP@5"] for domain in domains] + [scores["mMP@5"]]
        places = np.arange(len(heights)) + (number - (len(series) - 1) / 2) * width
        axes.bar(places, heights, width, label=f"{title} ({scores['mMP@5']:.3f})", color=colour)
    low, high = validation["interval_95"]
    model_place = len(domains) + (len(series) - 1) / 2 * width
    axes.errorbar(model_place, (low + high) / 2, (high - low) / 2, color="black", capsize=4, label="95 % interval")
    axes.axvline(len(domains) - 0.5, color="0.7", linewidth=1)
    slant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(domains) > 8 else {}
    axes.set_xticks(range(len(domains) + 1), [*domains, "mean"], **slant)
    axes.set_xlim(-0.6, len(domains) + 0.6)
    axes.set_ylabel("mMP@5")
    axes.set_ylim(0.0, 1.0)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(series) + 1, frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    pyplot.close(figure)
    return drawn.getvalue()


def _colours(n_series: int) -> list[str]:
    return ["#b8c4ce", "#7f96a8", "#1b7f5c"][-n_series:]


def _gallery_row(score: RetrievalScore, evaluation: EvaluationSet, query: int) -> GalleryRow:
    query_row = int(score.query_rows[query])
    images = [_gallery_image(evaluation, query_row, "query")]
    for row, hit in zip(score.neighbours[query].tolist(), score.hits[query].tolist(), strict=True):
        if row >= 0:
            images.append(_gallery_image(evaluation, row, "hit" if hit else "miss"))
    return GalleryRow(images, float(score.per_query[query]), " | ".join(evaluation.items.class_keys[query_row]))


def _gallery_image(evaluation: EvaluationSet, row: int, verdict: str) -> GalleryImage:
    thumbnail = open_image(evaluation.read_bytes(row))
    thumbnail.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    thumbnail.save(encoded, format="JPEG", quality=85)
    items = evaluation.items
    caption = f"{items.domains[row]} / {' | '.join(items.class_keys[row])}\n{items.ids[row]}"
    return GalleryImage(_data_url(encoded.getvalue(), "jpeg"), verdict, caption)


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
