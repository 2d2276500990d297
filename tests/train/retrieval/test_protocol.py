"""Both protocols against slow loops written from their definitions; wrong input."""

import numpy as np
import pytest

from data_prep.errors import ConfigError
from train.retrieval.protocol import EvaluationItems, check_items, headline_values, score_embeddings


def items_of(rows):
    """rows: (domain, class keys, role, id)"""
    domains, keys, roles, ids = zip(*rows, strict=True)
    return EvaluationItems(domains, [tuple(k) for k in keys], roles, ids)


def random_items(rng, roles_by_domain, n_per_domain=30, multi_label=True):
    """Classes a..e in every domain; every class has index images; some queries accept two labels."""
    rows = []
    for domain, roles in roles_by_domain.items():
        for number in range(n_per_domain):
            role = roles[number % len(roles)]
            keys = ["abcde"[number // len(roles) % 5]]
            if multi_label and role == "query" and rng.random() < 0.5:
                keys.append(str(rng.choice([key for key in "abcde" if key != keys[0]])))
            rows.append((domain, keys, role, f"{domain}-{number}"))
    return items_of([rows[i] for i in rng.permutation(len(rows))])


def coarse_embeddings(rng, n_items, dim=3):
    """Whole numbers with many ties and exact duplicates, so that every tie rule is exercised."""
    return rng.integers(-1, 2, size=(n_items, dim)).astype(np.float32)


def ranked_rows(embeddings, candidates, query, metric):
    def distance(row):
        if metric == "inner_product":
            return -float(embeddings[query].astype(float) @ embeddings[row].astype(float))
        return float(((embeddings[query].astype(float) - embeddings[row].astype(float)) ** 2).sum())

    return sorted(candidates, key=lambda row: (distance(row), row))


def slow_ours(embeddings, items, metric, index):
    """[(domain, mMP@5, R@1, AP@100)] a query, from sets and sorted lists."""
    measured = []
    for query in range(len(items)):
        if items.roles[query] == "index":
            continue
        candidates = [
            row
            for row in range(len(items))
            if items.roles[row] != "query"
            and items.ids[row] != items.ids[query]
            and (index == "merged" or items.domains[row] == items.domains[query])
        ]
        relevant = {
            row
            for row in candidates
            if items.domains[row] == items.domains[query]
            and set(items.class_keys[row]) & set(items.class_keys[query])
        }
        ranked = ranked_rows(embeddings, candidates, query, metric)
        depth = min(len(relevant), 5)
        precision = sum(row in relevant for row in ranked[:depth]) / depth
        average = 0.0
        for rank, row in enumerate(ranked[:100], start=1):
            if row in relevant:
                average += sum(r in relevant for r in ranked[:rank]) / rank
        measured.append(
            (items.domains[query], precision, float(ranked[0] in relevant), average / min(len(relevant), 100))
        )
    return measured


@pytest.mark.parametrize("metric", ["inner_product", "euclidean"])
@pytest.mark.parametrize("index", ["merged", "separate"])
def test_ours_agrees_with_a_slow_loop(metric, index):
    rng = np.random.default_rng(7)
    items = random_items(
        rng, {"cars": ["both"], "toys": ["query", "index", "index"], "food": ["both", "index", "query"]}
    )
    embeddings = coarse_embeddings(rng, len(items))
    score = score_embeddings(embeddings, items, metric, index=index)
    expected = slow_ours(embeddings, items, metric, index)
    assert score.per_query.tolist() == pytest.approx([precision for _, precision, _, _ in expected])
    for column, key in ((1, "mMP@5"), (2, "R@1"), (3, "mAP@100")):
        domain_means = []
        for domain in ("cars", "food", "toys"):
            domain_means.append(np.mean([one[column] for one in expected if one[0] == domain]))
            assert score.per_domain[domain][key] == pytest.approx(domain_means[-1])
        assert score.overall[key] == pytest.approx(np.mean(domain_means))
        assert score.pooled[key] == pytest.approx(np.mean([one[column] for one in expected]))
    assert score.n_queries == len(expected) == 60
    assert score.n_index == 30 + 20 + 20
    assert {domain: of["n_queries"] for domain, of in score.per_domain.items()} == {
        "cars": 30,
        "food": 20,
        "toys": 10,
    }
    assert {domain: of["n_index"] for domain, of in score.per_domain.items()} == {
        "cars": 30,
        "food": 20,
        "toys": 20,
    }
    assert 0.1 < score.overall["mMP@5"] < 0.9


def slow_reference(embeddings, items, metric="inner_product"):
    """The reference's formulas, symbol by symbol: {domain: (R@1, mMP@5, mAP@100)} rounded, rounded means.

    s: 1 where query set and index set are one; c_q: index rows of the query's labels; r_1, r_2 ...: relevance
    of the ranked rows, the query itself included.
    """
    index_rows = [row for row in range(len(items)) if items.roles[row] != "query"]
    by_domain = {}
    for domain in sorted(set(items.domains)):
        queries = [
            row for row in range(len(items)) if items.domains[row] == domain and items.roles[row] != "index"
        ]
        s = int(set(queries) == {row for row in index_rows if items.domains[row] == domain})
        sums = np.zeros(3)
        for q in queries:
            c_q = sum(
                sum(items.domains[row] == domain and items.class_keys[row] == (label,) for row in index_rows)
                for label in items.class_keys[q]
            )
            n_q = c_q - s
            ranked = ranked_rows(embeddings, index_rows, q, metric)[: 100 + s]
            r = [None] + [
                int(items.domains[row] == domain and items.class_keys[row][0] in items.class_keys[q])
                for row in ranked
            ]
            r += [0] * (101 + s - len(r))
            sums[0] += r[1 + s]
            sums[1] += (sum(r[j] for j in range(1, min(5 + s, c_q) + 1)) - s) / min(n_q, 5)
            sums[2] += sum(
                r[i + s] * sum(r[ell + s] for ell in range(1, i + 1)) / i for i in range(1, 101)
            ) / min(n_q, 100)
        by_domain[domain] = np.round(sums / len(queries), 3)
    return by_domain, np.round(np.mean(list(by_domain.values()), axis=0), 3)


@pytest.mark.parametrize("seed", range(4))
def test_uned_reference_agrees_with_its_formulas_to_the_digit(seed):
    rng = np.random.default_rng(seed)
    items = random_items(rng, {"cars": ["both"], "gldv2": ["query", "index", "index"], "sop": ["both"]})
    embeddings = coarse_embeddings(rng, len(items))
    expected_by_domain, expected = slow_reference(embeddings, items)
    score = score_embeddings(embeddings, items, protocol="uned-reference")
    for domain, values in expected_by_domain.items():
        assert [score.per_domain[domain][key] for key in ("R@1", "mMP@5", "mAP@100")] == values.tolist()
    assert [score.overall[key] for key in ("R@1", "mMP@5", "mAP@100")] == expected.tolist()


def test_uned_reference_takes_rank_1_for_the_query_and_may_fall_below_zero():
    # Images 0 and 1 are one class; 2 and 3 another, with the longest vectors: only 2 finds itself first.
    items = items_of(
        [
            ("sop", ["a"], "both", "0"),
            ("sop", ["a"], "both", "1"),
            ("sop", ["b"], "both", "2"),
            ("sop", ["b"], "both", "3"),
        ]
    )
    embeddings = np.array([[1], [1], [3], [2]], dtype=np.float32)
    score = score_embeddings(embeddings, items, protocol="uned-reference")
    # Order of every query: 2 3 0 1. Window of two, minus one: class a 0 - 1, class b 2 - 1.
    assert score.per_query.tolist() == [-1.0, -1.0, 1.0, 1.0]
    assert score_embeddings(embeddings, items).per_query.tolist() == [0.0, 0.0, 1.0, 1.0]


def test_uned_reference_refuses_sets_that_it_has_no_rule_for():
    items = items_of([("sop", ["a"], "both", "0"), ("sop", ["a"], "index", "1"), ("sop", ["a"], "both", "2")])
    with pytest.raises(
        ConfigError, match="domain 'sop': 2 images are query and index, of 2 queries and 3 index images"
    ):
        score_embeddings(np.eye(3, dtype=np.float32), items, protocol="uned-reference")


def test_the_query_is_excluded_by_id_across_rows():
    # The same file is listed as query and as index image; only the other image of its class may count.
    items = items_of(
        [
            ("toys", ["a"], "query", "x.jpg"),
            ("toys", ["a"], "index", "x.jpg"),
            ("toys", ["b"], "index", "y.jpg"),
            ("toys", ["a"], "index", "z.jpg"),
        ]
    )
    embeddings = np.array([[1, 0], [1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)
    score = score_embeddings(embeddings, items)
    assert score.overall == {"mMP@5": 0.0, "R@1": 0.0, "mAP@100": 0.5}
    assert score.neighbours.tolist() == [[2, 3, -1, -1, -1]]
    assert score.hits.tolist() == [[False, True, False, False, False]]


def test_a_result_of_another_domain_is_a_miss_and_takes_a_rank():
    items = items_of(
        [("toys", ["a"], "query", "q"), ("cars", ["a"], "index", "c"), ("toys", ["a"], "index", "t")]
    )
    embeddings = np.array([[1, 0], [1, 0], [0.5, 0.5]], dtype=np.float32)
    assert score_embeddings(embeddings, items, index="merged").overall["mMP@5"] == 0.0
    assert score_embeddings(embeddings, items, index="separate").overall["mMP@5"] == 1.0


def test_queries_without_an_index_image_are_named():
    rows = [
        ("toys", ["a"], "both", "first"),
        ("toys", ["b"], "both", "second"),
        ("toys", ["b"], "index", "third"),
    ]
    with pytest.raises(ConfigError, match=r"1 of 2 queries .* first \(domain toys, class a\)$"):
        check_items(items_of(rows))
    with pytest.raises(ConfigError, match="1 of 2 queries"):
        score_embeddings(np.eye(3, dtype=np.float32), items_of(rows))


def test_other_wrong_input_is_named():
    rows = [("toys", ["a"], "index", "first"), ("toys", ["a"], "index", "second")]
    with pytest.raises(ConfigError, match="none of 2 images has the role query or both"):
        check_items(items_of(rows))
    with pytest.raises(ConfigError, match=r"'first': no role 'queri', did you mean 'query'\?; known: both, index"):
        items_of([("toys", ["a"], "queri", "first")])
    with pytest.raises(ValueError, match="different lengths"):
        EvaluationItems(["toys"], [("a",)], ["index"], [])
    with pytest.raises(ValueError, match="got 3 for 2 items"):
        score_embeddings(np.eye(3, dtype=np.float32), items_of(rows))
    with pytest.raises(ConfigError, match="no protocol 'uned'; known: ours, uned-reference"):
        score_embeddings(np.eye(2, dtype=np.float32), items_of(rows), protocol="uned")
    with pytest.raises(ConfigError, match="no index 'joint'; known: merged, separate"):
        score_embeddings(np.eye(2, dtype=np.float32), items_of(rows), index="joint")


def test_headline_is_the_mean_of_domains_and_each_of_them():
    # cars: the query's only match comes first; toys: a stranger comes first.
    items = items_of([
        ("cars", ["a"], "query", "1"), ("cars", ["a"], "index", "2"), ("toys", ["b"], "query", "3"),
        ("toys", ["b"], "index", "4"), ("toys", ["c"], "index", "5"),
    ])
    embeddings = np.array([[1, 0], [1, 0], [0, 1], [-1, 0], [0, 1]], np.float32)
    assert headline_values(score_embeddings(embeddings, items)) == {
        "mMP@5": 0.5, "R@1": 0.5, "mMP@5/cars": 1.0, "mMP@5/toys": 0.0
    }
