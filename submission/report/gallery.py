"""Which queries the report shows with their neighbours, and what it says of each picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from submission.evaluation_set import EvaluationSet
from train.retrieval.protocol import RetrievalScore

GROUPS = ("worst", "best", "random")
_MAX_ROWS = 240  # of all domains together: what bounds the size of the page
_MAX_EACH = 8  # of one group in one domain


@dataclass(frozen=True)
class Picture:
    """An item `row` with its class names and id; `verdict`: query, right, wrong; `is_counted`: mMP@5 looks at it."""

    row: int
    verdict: str
    is_counted: bool
    class_name: str
    domain: str
    id: str


@dataclass(frozen=True)
class GalleryRow:
    """A query and its nearest index images, best first; `group` of GROUPS; `score` its own mMP@5."""

    group: str
    query: Picture
    neighbours: list[Picture]
    score: float
    n_matches: int

    @property
    def verdict(self) -> str:
        """`right`: every place that counts is; else `wrong`."""
        return "right" if self.score >= 1 else "wrong"

    @property
    def search_text(self) -> str:
        """What the search looks at: the class names of the row, in small letters."""
        names = dict.fromkeys(picture.class_name for picture in [self.query, *self.neighbours])
        return "\n".join(names).lower()


def build_gallery(score: RetrievalScore, evaluation: EvaluationSet) -> dict[str, list[GalleryRow]]:
    """Domain -> rows: its worst queries, its best, and some drawn at random, none twice."""
    n_each = max(1, min(_MAX_EACH, _MAX_ROWS // (len(GROUPS) * len(score.per_domain))))
    classes = np.array([class_name(evaluation, row) for row in score.query_rows.tolist()], dtype=object)
    return {
        domain: [
            _gallery_row(score, evaluation, query, group)
            for group, queries in choose_queries(score, classes, domain, n_each).items()
            for query in queries
        ]
        for domain in score.per_domain
    }


def choose_queries(score: RetrievalScore, classes: np.ndarray, domain: str, n_each: int) -> dict[str, list[int]]:
    """GROUPS -> positions of queries, the same ones every time.

    Worst are those below 1 with the lowest mMP@5, then mAP@100; best those with the highest. In both, every class
    comes up once before any comes up again: eight pictures of one hopeless class say less than eight classes. What is
    left is drawn from at random. A small domain is shared out evenly.

    Args:
        score: of the model.
        classes: [Q] the name of each query's class.
        domain: of the queries.
        n_each: queries a group, at most.
    """
    of_domain = np.flatnonzero(score.query_domains == domain)
    n_each = min(n_each, -(-len(of_domain) // len(GROUPS)))
    precision, average = score.per_query[of_domain], score.by_query["mAP@100"][of_domain]
    rising = of_domain[np.lexsort((of_domain, average, precision))]
    falling = of_domain[np.lexsort((of_domain, -score.n_matches[of_domain], -average, -precision))]
    worst = _each_class_first([query for query in rising.tolist() if score.per_query[query] < 1], classes)[:n_each]
    best = [query for query in falling.tolist() if query not in worst and score.per_query[query] > 0]
    best = _each_class_first(best, classes)[:n_each]
    shown = {*worst, *best}
    drawn = np.random.default_rng(0).permutation(of_domain).tolist()
    return {"worst": worst, "best": best, "random": [query for query in drawn if query not in shown][:n_each]}


def class_name(evaluation: EvaluationSet, row: int) -> str:
    """The labels of an image as one text; of shards they are `source/class`."""
    return " | ".join(evaluation.items.class_keys[row])


def shown_rows(gallery: dict[str, list[GalleryRow]]) -> set[int]:
    """Item rows of all pictures of a gallery."""
    return {
        picture.row for rows in gallery.values() for row in rows for picture in [row.query, *row.neighbours]
    }


def _each_class_first(queries: Sequence[int], classes: np.ndarray) -> list[int]:
    """The queries in their order, but the second of every class after the first of all classes, and so on.

    >>> _each_class_first([0, 1, 2, 3], np.array(["a", "a", "b", "a"]))
    [0, 2, 1, 3]
    """
    n_seen: dict[str, int] = {}
    turns = []
    for query in queries:
        turns.append(n_seen.get(classes[query], 0))
        n_seen[classes[query]] = turns[-1] + 1
    return [queries[place] for place in np.argsort(turns, kind="stable").tolist()]


def _gallery_row(score: RetrievalScore, evaluation: EvaluationSet, query: int, group: str) -> GalleryRow:
    n_matches = int(score.n_matches[query])
    found = zip(score.neighbours[query].tolist(), score.hits[query].tolist(), strict=True)
    neighbours = [
        _picture(evaluation, row, "right" if hit else "wrong", rank < n_matches)
        for rank, (row, hit) in enumerate(found)
        if row >= 0
    ]
    asked = _picture(evaluation, int(score.query_rows[query]), "query", True)
    return GalleryRow(group, asked, neighbours, float(score.per_query[query]), n_matches)


def _picture(evaluation: EvaluationSet, row: int, verdict: str, is_counted: bool) -> Picture:
    items = evaluation.items
    return Picture(row, verdict, is_counted, class_name(evaluation, row), items.domains[row], str(items.ids[row]))
