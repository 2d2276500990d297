"""Labels, matches and the query's own place, against loops over sets."""

import numpy as np
import pytest

from data_prep.errors import ConfigError
from train.retrieval import relevance


def random_items(rng, n_items):
    """Two domains that use the same class keys; one to three labels an item."""
    domains = [str(d) for d in rng.choice(["cars", "toys"], n_items)]
    keys = [
        tuple(str(k) for k in rng.choice(list("abcdef"), rng.integers(1, 4), replace=False))
        for _ in range(n_items)
    ]
    return domains, keys


def matches(domains, keys, one, other):
    return domains[one] == domains[other] and bool(set(keys[one]) & set(keys[other]))


def test_relevance_and_counts_agree_with_sets_of_labels():
    rng = np.random.default_rng(1)
    domains, keys = random_items(rng, 60)
    ids = [f"image {row}" for row in range(60)]
    query_rows, index_rows = np.arange(0, 40), np.arange(20, 60)
    own_rows = relevance.find_own_rows(ids, query_rows, index_rows)
    assert own_rows.tolist() == [-1] * 20 + list(range(20, 40))
    labels = relevance.encode_labels(domains, keys)
    found = np.stack([rng.permutation(index_rows)[:10] for _ in query_rows])
    found[:, -1] = -1
    found[:, 5] = found[:, 2]
    relevant = relevance.mark_relevant(labels, query_rows, found)
    n_matches = relevance.count_matches(labels, query_rows, index_rows, own_rows)
    for query in query_rows.tolist():
        for rank, row in enumerate(found[query].tolist()):
            expected = rank not in (5, 9) and matches(domains, keys, query, row)
            assert relevant[query, rank] == expected
        others = [row for row in index_rows.tolist() if row != query]
        assert n_matches[query] == sum(matches(domains, keys, query, row) for row in others)


def test_the_same_class_key_in_another_domain_does_not_match():
    labels = relevance.encode_labels(["cars", "toys"], [("a",), ("a",)])
    assert not relevance.mark_relevant(labels, np.array([0]), np.array([[1]])).any()


def test_blocks_of_queries_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(2)
    domains, keys = random_items(rng, 50)
    labels = relevance.encode_labels(domains, keys)
    found = rng.integers(0, 50, size=(50, 7))
    whole = relevance.mark_relevant(labels, np.arange(50), found)
    monkeypatch.setattr(relevance, "_QUERIES_PER_BLOCK", 8)
    assert (relevance.mark_relevant(labels, np.arange(50), found) == whole).all()
    assert whole.any() and not whole.all()


def test_an_id_twice_in_the_index_is_an_error():
    with pytest.raises(ConfigError, match="'b' is twice in the index: rows 1 and 2"):
        relevance.find_own_rows(["a", "b", "b"], np.array([0]), np.array([1, 2]))
