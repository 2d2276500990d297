"""From embeddings to scores: who is a query, who is in the index, what is relevant, how results are averaged.

Two protocols. `ours` excludes the query itself by id. `uned-reference` repeats the published numbers of UnED
to the digit: where the query set is the index set, whatever stands at rank 1 is taken for the query, and
means are rounded to three decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.errors import ConfigError, unknown_name
from train.retrieval import knn, relevance
from train.retrieval.metrics import average_precision_at_k, modified_precision_at_k, recall_at_1

PROTOCOLS = ("ours", "uned-reference")
INDEX_KINDS = ("merged", "separate")
ROLES = ("query", "index", "both")
SCORE_KEYS = ("mMP@5", "R@1", "mAP@100")
_DEPTH = 100  # of mAP@100, the longest list any metric looks at
_SHOWN = 5  # neighbours kept a query, for pictures
_REFERENCE_DECIMALS = 3


@dataclass(frozen=True)
class EvaluationItems:
    """What is known of M images, in the order of their embeddings.

    `domains` [M]; `class_keys` [M], the accepted labels of each image (several for some landmarks); `roles`
    [M], of ROLES; `ids` [M], equal where it is the same image: a query never finds its own id.
    """

    domains: Sequence[str]
    class_keys: Sequence[tuple[str, ...]]
    roles: Sequence[str]
    ids: Sequence[str]

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ("domains", "class_keys", "roles", "ids")}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"evaluation items: lists of different lengths: {lengths}")
        for role in set(self.roles) - set(ROLES):
            first = self.ids[list(self.roles).index(role)]
            raise unknown_name("role", str(role), ROLES, f"evaluation item {str(first)!r}")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class RetrievalScore:
    """The scores of one set of embeddings.

    `overall`: SCORE_KEYS -> mean of the domains with equal weight, the headline. `pooled`: mean over all
    queries. `per_domain`: domain -> SCORE_KEYS and `n_queries`, `n_index`. `by_query`: SCORE_KEYS -> [Q],
    `n_matches` [Q] relevant index images, `query_rows` [Q] item rows, `query_domains` [Q], `neighbours` [Q, 5]
    item rows of the first results (-1: none), `hits` [Q, 5] their relevance.
    """

    overall: dict[str, float]
    pooled: dict[str, float]
    per_domain: dict[str, dict[str, float]]
    n_queries: int
    n_index: int
    by_query: dict[str, np.ndarray]
    n_matches: np.ndarray
    query_rows: np.ndarray
    query_domains: np.ndarray
    neighbours: np.ndarray
    hits: np.ndarray

    @property
    def per_query(self) -> np.ndarray:
        """[Q] mMP@5."""
        return self.by_query["mMP@5"]


def score_embeddings(
    embeddings: np.ndarray,
    items: EvaluationItems,
    metric: str = "inner_product",
    protocol: str = "ours",
    index: str = "merged",
) -> RetrievalScore:
    """Search every query in the index and score what is found.

    A result is relevant when it has the query's domain and one of its labels. The index is `merged` over all
    domains, or `separate` for each.

    Args:
        embeddings: float32 [M, D], searched as given.
        items: the same M images.
        metric: `inner_product` or `euclidean`.
        protocol: `ours` or `uned-reference`.
        index: `merged` or `separate`.

    Raises:
        ConfigError: no queries, a query without a relevant index image, an id twice in the index; for
            `uned-reference`, a domain in which only some images are both query and index.
        ValueError: embeddings that are not finite, or not one an item.
    """
    for what, got, known in (("protocol", protocol, PROTOCOLS), ("index", index, INDEX_KINDS)):
        if got not in known:
            raise unknown_name(what, got, known, "score_embeddings")
    if len(embeddings) != len(items):
        raise ValueError(f"expected one embedding an item, got {len(embeddings)} for {len(items)} items")
    sets = _split_roles(items)
    n_matches = _count_matches(items, sets)
    by_position = protocol == "uned-reference"
    n_leading = _find_leading_self(sets) if by_position else np.zeros(len(sets.query_rows), dtype=int)
    excluded = np.full(len(sets.query_rows), -1) if by_position else sets.own_rows
    found = np.full((len(sets.query_rows), _DEPTH + n_leading.max()), -1, dtype=np.int64)  # item rows
    for queries, rows in _groups(sets, index):
        vectors = embeddings[sets.query_rows[queries]]
        own_positions = _positions(rows, excluded[queries], len(items))
        ranked = knn.search(vectors, embeddings[rows], found.shape[1], metric, own_positions)
        found[queries] = np.where(ranked >= 0, rows[ranked], -1)
    labels = relevance.encode_labels(items.domains, items.class_keys)
    relevant = relevance.mark_relevant(labels, sets.query_rows, found)
    shown = np.arange(_SHOWN) + n_leading[:, None]
    pictures = (np.take_along_axis(found, shown, axis=1), np.take_along_axis(relevant, shown, axis=1))
    decimals = _REFERENCE_DECIMALS if by_position else None
    return _summarise(_measure(relevant, n_matches, n_leading), sets, decimals, (n_matches, *pictures))


def check_items(items: EvaluationItems, where: str = "evaluation") -> None:
    """Raise ConfigError unless there are queries, and each has a relevant index image besides itself."""
    _count_matches(items, _split_roles(items, where), where)


@dataclass(frozen=True)
class _Sets:
    """`domains` [M]; item rows of the queries [Q], of the index [N], of each query in the index [Q] or -1."""

    domains: np.ndarray
    query_rows: np.ndarray
    index_rows: np.ndarray
    own_rows: np.ndarray


def _split_roles(items: EvaluationItems, where: str = "evaluation") -> _Sets:
    roles = np.asarray(items.roles)
    query_rows, index_rows = np.flatnonzero(roles != "index"), np.flatnonzero(roles != "query")
    if not len(query_rows):
        raise ConfigError(f"{where}: none of {len(items)} images has the role query or both")
    own_rows = relevance.find_own_rows(items.ids, query_rows, index_rows)
    return _Sets(np.asarray(items.domains), query_rows, index_rows, own_rows)


def _count_matches(items: EvaluationItems, sets: _Sets, where: str = "evaluation") -> np.ndarray:
    """[Q] relevant index images of each query, at least one, or a ConfigError."""
    labels = relevance.encode_labels(items.domains, items.class_keys)
    n_matches = relevance.count_matches(labels, sets.query_rows, sets.index_rows, sets.own_rows)
    lonely = sets.query_rows[n_matches < 1].tolist()
    if lonely:
        named = [
            f"{items.ids[row]} (domain {items.domains[row]}, class {'|'.join(items.class_keys[row])})"
            for row in lonely[:5]
        ]
        raise ConfigError(
            f"{where}: {len(lonely)} of {len(sets.query_rows)} queries have no index image of their "
            f"domain and class besides themselves: {'; '.join(named)}{' ...' if len(lonely) > 5 else ''}"
        )
    return n_matches


def _find_leading_self(sets: _Sets) -> np.ndarray:
    """[Q] 1 where the query's domain uses one set as query and index, else 0."""
    n_leading = np.zeros(len(sets.query_rows), dtype=int)
    query_domains, index_domains = sets.domains[sets.query_rows], sets.domains[sets.index_rows]
    for domain in np.unique(query_domains).tolist():
        queries = query_domains == domain
        n_queries, n_index = int(queries.sum()), int((index_domains == domain).sum())
        n_shared = int((sets.own_rows[queries] >= 0).sum())
        if n_shared and not n_shared == n_index == n_queries:
            raise ConfigError(
                f"uned-reference, domain {domain!r}: {n_shared} images are query and index, of {n_queries} "
                f"queries and {n_index} index images; the reference knows equal sets or disjoint ones only"
            )
        n_leading[queries] = int(n_shared > 0)
    return n_leading


def _groups(sets: _Sets, index: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(positions in query_rows, item rows to search) of each search."""
    if index == "merged":
        return [(np.arange(len(sets.query_rows)), sets.index_rows)]
    query_domains, index_domains = sets.domains[sets.query_rows], sets.domains[sets.index_rows]
    return [
        (np.flatnonzero(query_domains == domain), sets.index_rows[index_domains == domain])
        for domain in np.unique(query_domains)
    ]


def _positions(rows: np.ndarray, wanted: np.ndarray, n_items: int) -> np.ndarray:
    """Where the wanted item rows stand in `rows`; -1 for those that are -1 or not there."""
    position_by_row = np.full(n_items + 1, -1)  # the last entry answers for row -1
    position_by_row[rows] = np.arange(len(rows))
    return position_by_row[wanted]


def _measure(relevant: np.ndarray, n_matches: np.ndarray, n_leading: np.ndarray) -> dict[str, np.ndarray]:
    """SCORE_KEYS -> [Q]; the `n_leading` [Q] first ranks are taken for the query itself."""
    ranks = np.arange(_DEPTH) + n_leading[:, None]
    without_self = np.take_along_axis(relevant, ranks, axis=1)
    precisions = modified_precision_at_k(without_self, n_matches)
    # The reference counts the leading rank and takes one off: a stranger there costs a hit, even below zero.
    precisions = precisions - (n_leading * ~relevant[:, 0]) / np.minimum(n_matches, 5)
    return {
        "mMP@5": precisions,
        "R@1": recall_at_1(without_self),
        "mAP@100": average_precision_at_k(without_self, n_matches),
    }


def _summarise(
    per_query: dict[str, np.ndarray],
    sets: _Sets,
    decimals: int | None,
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> RetrievalScore:
    """Means by domain, of the domains, and of all queries; `decimals` rounds the first two.

    `seen`: what the score keeps of each query beside its numbers: n_matches, neighbours, hits.
    """

    def mean(values: Sequence[float] | np.ndarray) -> float:
        return float(np.mean(values) if decimals is None else np.round(np.mean(values), decimals))

    query_domains, index_domains = sets.domains[sets.query_rows], sets.domains[sets.index_rows]
    per_domain: dict[str, dict[str, float]] = {}
    for domain in np.unique(query_domains).tolist():
        chosen = query_domains == domain
        counts = {"n_queries": int(chosen.sum()), "n_index": int((index_domains == domain).sum())}
        per_domain[domain] = {key: mean(per_query[key][chosen]) for key in SCORE_KEYS} | counts
    return RetrievalScore(
        overall={key: mean([scores[key] for scores in per_domain.values()]) for key in SCORE_KEYS},
        pooled={key: float(per_query[key].mean()) for key in SCORE_KEYS},
        per_domain=per_domain,
        n_queries=len(sets.query_rows),
        n_index=len(sets.index_rows),
        by_query=per_query,
        n_matches=seen[0],
        query_rows=sets.query_rows,
        query_domains=query_domains,
        neighbours=seen[1],
        hits=seen[2],
    )


def headline_values(score: RetrievalScore) -> dict[str, float]:
    """`mMP@5` and `R@1` as means of the domains, and `mMP@5/<domain>` of each: what a stage is judged by."""
    by_domain = {f"mMP@5/{domain}": values["mMP@5"] for domain, values in score.per_domain.items()}
    return {"mMP@5": score.overall["mMP@5"], "R@1": score.overall["R@1"]} | by_domain
