"""From file and images to numbers."""

import numpy as np
import pytest

from submission.evaluation_set import read_table
from submission.scoring import Scoring, embed_set, measure_score


def test_colours_are_found_by_colour(model_path, table_path):
    evaluation = read_table(table_path)
    embeddings = embed_set(model_path, evaluation, "cpu", "test")
    assert embeddings.shape == (18, 64)
    # Colour is the class within a domain; the other domain's images of that colour are strangers.
    score, described = measure_score(embeddings, evaluation, Scoring(index="separate"))
    assert described["mMP@5"] == described["R@1"] == described["mAP@100"] == 1.0
    assert described["interval_95"] == [1.0, 1.0]
    assert described["embedding_dim"] == 64
    assert described["per_domain"]["cars"]["n_queries"] == 3 and described["per_domain"]["toys"]["n_index"] == 9
    assert score.n_queries == 12
    merged = measure_score(embeddings, evaluation, Scoring())[1]
    assert merged["mMP@5"] < 1.0


def test_neighbours_are_those_of_euclidean_distance(table_path):
    # One long vector: highest inner product with everything, but far from everything.
    evaluation = read_table(table_path)
    embeddings = np.zeros((18, 2), dtype=np.float32)
    for row, keys in enumerate(evaluation.items.class_keys):
        angle = {"red": 0.0, "green": 2.0, "blue": 4.0}[keys[0]]
        embeddings[row] = [np.cos(angle), np.sin(angle)]
    embeddings[evaluation.items.ids.index("cars-blue-1.png")] *= 50
    described = measure_score(embeddings, evaluation, Scoring(index="separate"))[1]
    assert described["per_domain"]["cars"]["R@1"] == 1.0
    assert described["per_domain"]["cars"]["mMP@5"] == pytest.approx((1 + 1 + 0.5) / 3)
