"""Planted copies are found by hash or by embedding, and nothing else is."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from submission.evaluation_set import EvaluationSet
from submission.report import suspected_copies
from submission.report.suspected_copies import find_suspected_copies
from submission.scoring import Scoring, measure_score
from train.retrieval.protocol import EvaluationItems


def drawing(seed, size_px=(128, 128), kind="PNG"):
    """A picture of its own: a few random squares."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC).resize(size_px).save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture
def collection():
    """Twelve classes of two pictures; row 5 is row 0 again, smaller and as JPEG, in another class and domain."""
    domains = ["cars"] * 4 + ["toys"] * 20
    items = EvaluationItems(domains, [(f"class {row // 2}",) for row in range(24)], ["both"] * 24,
                            [str(row) for row in range(24)])
    files = [drawing(seed) for seed in range(24)]
    files[5] = drawing(0, (90, 90), "JPEG")
    vectors = np.random.default_rng(1).standard_normal((24, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return EvaluationSet(items, files.__getitem__, {}, "", ""), vectors


def look(collection, **changes):
    evaluation, vectors = collection
    vectors = vectors.copy()
    for row, (other, cosine) in changes.get("near", {}).items():
        rest = vectors[row] - (vectors[row] @ vectors[other]) * vectors[other]
        vectors[row] = cosine * vectors[other] + np.sqrt(1 - cosine**2) * rest / np.linalg.norm(rest)
    score, _ = measure_score(vectors, evaluation, Scoring())
    return find_suspected_copies(vectors, evaluation, score)


def test_nothing_is_suspected_of_unrelated_pictures(collection):
    found = look(collection)
    assert (found.pairs, found.n_suspected, found.n_searched, found.n_index) == ([], 0, 24, 24)


def test_a_copy_is_found_by_its_hash_though_the_model_tells_it_apart(collection):
    found = look(collection, near={5: (0, 0.85)})
    [pair] = found.pairs
    assert (pair.row_a, pair.row_b) == (0, 5) and pair.bits <= 4 and pair.cosine == pytest.approx(0.85, abs=1e-5)
    assert look(collection, near={5: (0, 0.75)}).pairs == []  # too far apart to be looked at


def test_different_pictures_on_one_point_are_suspected_by_the_cosine(collection):
    found = look(collection, near={9: (2, 0.99), 11: (2, 0.97)})
    assert [(pair.row_a, pair.row_b) for pair in found.pairs] == [(2, 9)]
    assert found.pairs[0].bits > 4


def test_pictures_of_one_class_are_no_copies(collection):
    found = look(collection, near={3: (2, 0.999)})
    assert found.pairs == found.twins == []


def test_one_picture_twice_in_a_class_is_found_beside_them(collection):
    evaluation, vectors = collection
    twice = replace(evaluation, read_bytes=lambda row: evaluation.read_bytes(2 if row == 3 else row))
    found = look((twice, vectors), near={3: (2, 0.99), 7: (6, 0.99)})
    assert [(pair.row_a, pair.row_b, pair.bits) for pair in found.twins] == [(2, 3, 0)] and found.n_twins == 1
    assert found.pairs == []
    assert look((twice, vectors), near={3: (2, 0.9)}).twins == []  # a model that tells them apart has no easy point


def test_a_query_outside_the_index_is_compared_too(collection):
    evaluation, vectors = collection
    roles = ["index"] * 24
    roles[4] = roles[5] = "query"
    keys = [("class 2",) if row in (6, 7) else key for row, key in enumerate(evaluation.items.class_keys)]
    outside = replace(evaluation, items=replace(evaluation.items, roles=roles, class_keys=keys))
    found = look((outside, vectors), near={5: (0, 0.9)})
    assert [(pair.row_a, pair.row_b) for pair in found.pairs] == [(0, 5)] and found.n_index == 22


def test_large_indexes_are_searched_from_fewer_images(collection, monkeypatch):
    monkeypatch.setattr(suspected_copies, "_MAX_COMPARED", 24 * 6)
    found = look(collection)
    assert (found.n_searched, found.n_index) == (6, 24)


def test_the_likeliest_come_first_and_only_some_are_shown(collection, monkeypatch):
    near = {9: (2, 0.985), 13: (2, 0.995), 5: (0, 0.99)}
    found = look(collection, near=near)
    assert [pair.row_b for pair in found.pairs[:2]] == [5, 13]
    monkeypatch.setattr(suspected_copies, "_MAX_SHOWN", 1)
    few = look(collection, near=near)
    assert few.pairs == found.pairs[:1] and few.n_suspected == len(found.pairs)
