"""Noisy sources: which labels to believe, by the score of each picture with the name of its class.

`python -m train.score_labels` makes the scores once, with an image-text tower. What follows from them is decided here,
by the mixture's thresholds, which may change without a new score. The sixth place of the challenge used a share of
iMaterialist furniture in this way, labelled with CLIP's help (arXiv 2210.09377).
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel, Field, field_validator, model_validator

from data_prep.catalogue import ACCEPTED, reject
from data_prep.errors import ConfigError
from data_prep.files import writing_atomically

NOT_BELIEVED = "label not believed"
DECISIONS = ("keep", "drop", "relabel")
SCORES_SCHEMA = {
    "source": pl.String,
    "path": pl.String,  # as in the catalogue: relative to the raw root
    "sha256": pl.String,  # of the raw file that was scored
    "class_key": pl.String,  # as the data set says
    "score": pl.Float32,  # cosine of the picture and the name of that class
    "best_class_key": pl.String,  # the class of this source whose name fits best
    "best_score": pl.Float32,
    "decision": pl.String,  # by the thresholds of that day, for people; null without thresholds. Builds decide anew
}
# Classes are dealt to splits as a whole: what the data set itself gives to val and test keeps its labels.
SCORED_ROWS = ACCEPTED & pl.col("split").is_in(["", "train"])
_KEY = ["source", "path", "sha256", "class_key"]


class LabelScoresConfig(BaseModel, extra="forbid", frozen=True):
    """Which labels of a source to believe. Cosines depend on the tower: look at the scores before choosing.

    Official val and test stay as they are. With `split: by_class` the classes are dealt out afterwards, so that val and
    test hold believed labels only.

    Attributes:
        file: what `train.score_labels` left, below the raw root.
        drop_below: a picture with a lower cosine to the name of its class is not believed, and left out ...
        relabel_above: ... unless the name of another class fits at least so well: it moves there. Without it, none.
    """

    file: str = "label_scores.parquet"
    drop_below: float = Field(ge=-1, le=1)
    relabel_above: float | None = Field(default=None, ge=-1, le=1)

    @field_validator("file")
    @classmethod
    def _stays_below_the_root(cls, value: str) -> str:
        if value.startswith("/") or ".." in Path(value).parts or not value.endswith(".parquet"):
            raise ValueError("expected a .parquet file below the raw root")
        return value

    @model_validator(mode="after")
    def _believes_what_it_relabels(self) -> "LabelScoresConfig":
        if self.relabel_above is not None and self.relabel_above < self.drop_below:
            raise ValueError(f"relabel_above {self.relabel_above} is below drop_below {self.drop_below}: "
                             "the new label would not be believed either")
        return self


def decide(rule: LabelScoresConfig) -> pl.Expr:
    """`keep`, `drop` or `relabel` (DECISIONS) for rows with the columns of SCORES_SCHEMA."""
    relabel = pl.lit(False)
    if rule.relabel_above is not None:
        relabel = (pl.col("best_score") >= rule.relabel_above) & (pl.col("best_class_key") != pl.col("class_key"))
    believed = pl.col("score") >= rule.drop_below
    return pl.when(believed).then(pl.lit("keep")).when(relabel).then(pl.lit("relabel")).otherwise(pl.lit("drop"))


def label_step(
    rules: Mapping[str, LabelScoresConfig], raw_root: Path
) -> dict[str, Callable[[pl.DataFrame], pl.DataFrame]]:
    """The step of a build by its name; none where no source asks for it. The files are read here, before long work.

    Raises:
        ConfigError: a missing or wrong file of scores.
    """
    if not rules:
        return {}
    scores_by_file = {rule.file: load_scores(raw_root / rule.file) for rule in rules.values()}

    def step(catalogue: pl.DataFrame) -> pl.DataFrame:
        for source, rule in sorted(rules.items()):
            catalogue = believe_labels(catalogue, source, rule, scores_by_file[rule.file])
        return catalogue

    return {"label scores": step}


def believe_labels(
    catalogue: pl.DataFrame, source: str, rule: LabelScoresConfig, scores: pl.DataFrame
) -> pl.DataFrame:
    """Apply the scores to a source's accepted rows outside official val and test.

    Fills `label_score`. Rows to drop are rejected (NOT_BELIEVED). Rows to relabel get their new `class_key`, and
    `listed_class_key` says the one before; `label_score` is then that of the new one.

    Raises:
        ConfigError: rows without a score: pictures or labels that came after the scoring.
    """
    own = SCORED_ROWS & (pl.col("source") == source)
    # A class that only official val or test knows is no place for a train picture: such a row is no candidate.
    classes = catalogue.filter(own)["class_key"].unique().implode()
    decision = pl.when(pl.col("best_class_key").is_in(classes)).then(decide(rule)).otherwise(
        decide(rule.model_copy(update={"relabel_above": None})))
    marked = catalogue.join(scores.drop("decision"), on=_KEY, how="left", maintain_order="left")
    marked = marked.with_columns(decision=pl.when(own).then(decision))
    _refuse_unscored(marked.filter(own), source, rule)
    moved = pl.col("decision") == "relabel"
    found = dict(marked.filter(own)["decision"].value_counts().iter_rows())
    print(f"{source}: labels by score: " + ", ".join(f"{name} {found.get(name, 0):,}" for name in DECISIONS),
          file=sys.stderr)
    marked = marked.with_columns(
        label_score=pl.when(moved).then("best_score").when(own).then("score").otherwise("label_score"),
        listed_class_key=pl.when(moved).then("class_key").otherwise("listed_class_key"),
        class_key=pl.when(moved).then("best_class_key").otherwise("class_key"),
    )
    dropped = pl.col("decision") == "drop"
    return reject(marked, dropped, NOT_BELIEVED, _why(rule)).select(catalogue.columns)


def load_scores(path: Path) -> pl.DataFrame:
    """A file of scores, checked: SCORES_SCHEMA's columns, finite cosines, each picture once.

    Raises:
        ConfigError: what is wrong with it.
    """
    if not path.is_file():
        raise ConfigError(f"label_scores: no file {path}; {_COMMAND}")
    try:
        scores = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"label_scores: {path} is not a readable parquet file: {error}") from error
    if dict(scores.schema) != SCORES_SCHEMA:
        raise ConfigError(f"label_scores: {path}: got columns {dict(scores.schema)}, expected {SCORES_SCHEMA}")
    unscored = scores.filter(~(pl.col("score").is_finite() & pl.col("best_score").is_finite()).fill_null(False))
    if not unscored.is_empty():
        raise ConfigError(f"label_scores: {path}: {unscored.height} row(s) without a finite score, first "
                          f"{unscored['path'][0]!r}")
    if scores.select(_KEY).is_duplicated().any():
        raise ConfigError(f"label_scores: {path}: pictures that are listed more than once")
    return scores


def save_scores(scores: pl.DataFrame, path: Path, made_by: Mapping[str, str]) -> None:
    """Write SCORES_SCHEMA's columns; `made_by` (tower, weights, prompts) becomes the file's own metadata."""
    with writing_atomically(path) as unfinished_path:
        scores.select(pl.col(name).cast(dtype) for name, dtype in SCORES_SCHEMA.items()).write_parquet(
            unfinished_path, metadata=dict(made_by))


_COMMAND = "python -m train.score_labels MIXTURE --raw-root RAW makes it"


def _refuse_unscored(rows: pl.DataFrame, source: str, rule: LabelScoresConfig) -> None:
    unscored = rows.filter(pl.col("score").is_null())
    if not unscored.is_empty():
        raise ConfigError(
            f"{source}: {unscored.height:,} of {rows.height:,} pictures have no score in {rule.file} (new, changed or "
            f"listed under another class since), first {unscored['path'][0]!r}; {_COMMAND}"
        )


def _why(rule: LabelScoresConfig) -> pl.Expr:
    """What the row was scored, for the rejects."""
    return pl.format(
        "score {} of class {}, below {}; best: {} of class {}", pl.col("score").round(4), "class_key",
        pl.lit(rule.drop_below), pl.col("best_score").round(4), "best_class_key",
    )
