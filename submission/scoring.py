"""Model file and labelled images -> the numbers of `validation.json`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from submission.evaluation_set import EvaluationSet
from submission.hosted_scorer import embed_images, load_submission
from train.retrieval.interval import bootstrap_intervals
from train.retrieval.protocol import RetrievalScore, score_embeddings

HOST_METRIC = "euclidean"


@dataclass(frozen=True)
class Scoring:
    """`protocol` and `index` as in `train.retrieval.protocol`; `device` that embeds."""

    protocol: str = "ours"
    index: str = "merged"
    device: str = "cpu"


def embed_set(model_path: Path, evaluation: EvaluationSet, device: str, title: str) -> np.ndarray:
    """float32 [M, D]: every image of the set through the model file, as the host does it."""
    model = load_submission(model_path, device)
    encoded_images = (evaluation.read_bytes(row) for row in range(len(evaluation.items)))
    return embed_images(model, encoded_images, evaluation.items.ids, title)


def measure_score(embeddings: np.ndarray, evaluation: EvaluationSet, scoring: Scoring) -> tuple[RetrievalScore, dict]:
    """The score, and as plain values what `validation.json` says of it."""
    score = score_embeddings(embeddings, evaluation.items, HOST_METRIC, scoring.protocol, scoring.index)
    interval, of_domains = bootstrap_intervals(score)
    described = {
        **score.overall,
        "interval_95": list(interval),
        "pooled": score.pooled,
        "per_domain": score.per_domain,
        "per_domain_interval_95": {domain: list(ends) for domain, ends in of_domains.items()},
        "embedding_dim": int(embeddings.shape[1]),
    }
    return score, described
