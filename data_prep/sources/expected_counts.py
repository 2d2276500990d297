"""How many rows and classes the complete data sets hold, and how a folder's rows compare.

The numbers are those of the data sets' papers and pages. A folder may rightly hold less (a part that was not
fetched, a miniature): what to make of a difference is for the caller to say.
"""

from dataclasses import dataclass

import polars as pl

from data_prep.errors import unknown_name

_QUERY = pl.col("role") == "query"


@dataclass(frozen=True)
class Count:
    """A named part of a data set: which rows belong to it, how many, of how many classes (None: not known)."""

    part: str
    rows_of: pl.Expr
    n_rows: int
    n_classes: int | None


@dataclass(frozen=True)
class CountCheck:
    """What was found of one part beside what the complete data set holds; each (rows, classes or None)."""

    part: str
    got: tuple[int, int | None]
    expected: tuple[int, int | None]

    @property
    def ok(self) -> bool:
        """Whether both numbers agree."""
        return self.got == self.expected


EXPECTED_COUNTS: dict[str, tuple[Count, ...]] = {
    "products_10k": (Count("train list", pl.col("path").str.starts_with("train/"), 141_931, 9_691),),
    "stanford_products": (
        Count("train", pl.col("split") == "train", 59_551, 11_318),
        Count("test", pl.col("split") == "test", 60_502, 11_316),
    ),
    "stanford_cars": (
        Count("classes 1 to 98", pl.col("split") == "train", 8_054, 98),
        Count("classes 99 to 196", pl.col("split") == "test", 8_131, 98),
    ),
    "deepfashion_inshop": (
        Count("train", pl.col("split") == "train", 25_882, 3_997),
        Count("query", _QUERY, 14_218, 3_985),
        Count("gallery", pl.col("role") == "index", 12_612, 3_985),
    ),
    "gldv2": (
        Count("train_clean", pl.col("split") == "train", 1_580_470, 81_313),
        Count("index", pl.col("path").str.starts_with("index/"), 761_757, 101_302),
        Count("scored queries", _QUERY, 1_129, 318),
    ),
    "met": (
        Count("database", pl.col("role") == "index", 397_121, 224_408),
        Count(
            "test queries of an exhibit",
            pl.col("path").str.starts_with("images/test_met/"),
            1_003 + 129,
            None,
        ),
    ),
}


def check_counts(source: str, rows: pl.DataFrame) -> list[CountCheck]:
    """Compare the rows of a source (ROW_SCHEMA, missing files included) with the complete data set.

    Raises:
        ConfigError: no counts are known for this source.
    """
    if source not in EXPECTED_COUNTS:
        raise unknown_name("counts for source", source, EXPECTED_COUNTS, "expected counts")
    checks = []
    for count in EXPECTED_COUNTS[source]:
        found = rows.filter(count.rows_of)
        n_classes = None if count.n_classes is None else found["class_key"].n_unique()
        checks.append(CountCheck(count.part, (found.height, n_classes), (count.n_rows, count.n_classes)))
    return checks
