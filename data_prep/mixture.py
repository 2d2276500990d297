"""What a mixture may say: which sources, how many images a class, which split, which image size."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from data_prep.config_files import find_named, read_config
from data_prep.hamming import MAX_BITS
from data_prep.label_scores import LabelScoresConfig
from data_prep.near_duplicates import DEFAULT_MAX_BITS
from data_prep.sources import SOURCES
from data_prep.sources.generic import generic_source, option_problems
from data_prep.sources.source import Source

MIXTURES_DIR = Path(__file__).parent / "mixtures"
WITH_BOXES = tuple(sorted(key for key, source in SOURCES.items() if source.read_boxes is not None))


class CropsConfig(BaseModel, extra="forbid", frozen=True):
    """Cut the annotated boxes out; each is a sample. Without it pictures are taken whole.

    Attributes:
        margin: share of the box's width and height that is added on each side.
    """

    margin: float = Field(default=0.0, ge=0, le=1)


class SourceConfig(BaseModel, extra="forbid", frozen=True):
    """One data set of the mixture. Limits a class apply to train images only; val and test stay as they are.

    Attributes:
        source: a known data set, or any name of your own together with `reader`.
        reader: read the folder as class folders or through a table; `options` are the reader's.
        domain: what it shows; needed with `reader`, otherwise the data set's own.
        raw_dir: folder below the raw root; the data set's usual one when left out.
        split: 'official' keeps the data set's own; 'by_class' divides its classes anew.
        val_fraction: share of the train classes ('official') or of all classes ('by_class') that becomes val.
        test_fraction: share of all classes that becomes test; for 'by_class'.
        min_per_class: train classes with fewer images are left out.
        cap_per_class: at most so many train images a class.
        repeat_to: readers repeat the images of a train class up to this number; nothing is written twice.
        max_classes: at most so many train classes.
        label_scores: drop or relabel pictures that do not look like the name of their class.
        crops: take the boxes of pictures in place of whole pictures, where the data set has them.
    """

    source: str = Field(pattern=r"^[a-z0-9_]+$", max_length=80)
    reader: Literal["class_folders", "table"] | None = None
    options: dict[str, object] = {}
    domain: str | None = None
    raw_dir: str | None = None
    split: Literal["official", "by_class"] = "official"
    val_fraction: float = Field(default=0.0, ge=0, le=1)
    test_fraction: float = Field(default=0.0, ge=0, le=1)
    min_per_class: int = Field(default=1, ge=1)
    cap_per_class: int | None = Field(default=None, ge=1)
    repeat_to: int | None = Field(default=None, ge=1)
    max_classes: int | None = Field(default=None, ge=1)
    label_scores: LabelScoresConfig | None = None
    crops: CropsConfig | None = None

    @field_validator("raw_dir")
    @classmethod
    def _stays_below_the_root(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("/") or ".." in PurePosixPath(value).parts):
            raise ValueError("expected a folder below the raw root (the root itself is given by --raw-root)")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "SourceConfig":
        problems = []
        if self.reader is None and self.source not in SOURCES:
            known = ", ".join(sorted(SOURCES))
            problems.append(f"no such source; known: {known}; data of your own needs a reader")
        if self.reader is None and self.options:
            problems.append("options are for a reader, and there is no reader")
        if self.crops is not None and (self.source not in WITH_BOXES or self.reader is not None):
            problems.append(f"crops: no boxes are known of it; sources with boxes: {', '.join(WITH_BOXES)}")
        if self.reader is not None:
            problems += option_problems(self.reader, self.options)
        if self.reader is not None and not self.domain:
            problems.append("a source with a reader needs a domain")
        if self.split == "official" and self.test_fraction:
            problems.append("test_fraction is for split: by_class; official test classes are what they are")
        if self.val_fraction + self.test_fraction > 1:
            problems.append("val_fraction + test_fraction is more than 1")
        if self.cap_per_class is not None and self.cap_per_class < self.min_per_class:
            problems.append(f"cap_per_class {self.cap_per_class} is below min_per_class {self.min_per_class}")
        if problems:
            raise ValueError(f"source {self.source!r}: " + "; ".join(problems))
        return self


class NearDuplicatesConfig(BaseModel, extra="forbid", frozen=True):
    """Pictures that look the same; see `near_duplicates.py`.

    Attributes:
        max_bits: two pictures are near when their 64-bit perceptual hashes differ in at most so many bits. They
            differ in an even number, but for rare ties.
        across_classes: of near pictures in two classes of a source: 'report' keeps both, 'merge' joins the
            classes, 'drop' turns both away.
    """

    max_bits: int = Field(default=DEFAULT_MAX_BITS, ge=0, le=MAX_BITS)
    across_classes: Literal["report", "merge", "drop"] = "report"


class MixtureConfig(BaseModel, extra="forbid", frozen=True):
    """A data set to train and score on, packed from several sources.

    Attributes:
        name: folder of the shards.
        seed: decides every choice of classes and images, and the order in the shards.
        image_px: shorter side of the stored pictures; smaller ones are not enlarged.
        jpeg_quality: of pictures that have to be encoded again.
        exif_orientation: 'ignore' stores pixels as they lie in the file, as the host and the benchmark see
            them.
        samples_per_shard: the last shard of a source and split may hold fewer.
        near_duplicates: turn away near copies inside a class, treat those across classes, and turn away train and val
            pictures near an evaluation picture. Left out: only equal bytes count as copies.
        leak_guard: files of hashes of evaluation pictures (`python -m data_prep.hash_evaluation` makes them). Train
            and val pictures with the same bytes, or as near as `near_duplicates` says (4 bits where it is left out),
            are turned away.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    seed: int = Field(ge=0)
    image_px: int = Field(ge=8)
    jpeg_quality: int = Field(default=92, ge=1, le=95)
    exif_orientation: Literal["ignore", "apply"] = "ignore"
    samples_per_shard: int = Field(default=1000, ge=1)
    near_duplicates: NearDuplicatesConfig | None = None
    leak_guard: tuple[str, ...] | None = None
    sources: tuple[SourceConfig, ...]

    @field_validator("sources")
    @classmethod
    def _some_each_once(cls, value: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        if not value:
            raise ValueError("expected at least one source")
        names = [config.source for config in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed more than once: {', '.join(twice)}")
        return value


def load_mixture(name: str, overrides: Sequence[str] = ()) -> MixtureConfig:
    """A mixture by name (a file of `data_prep/mixtures`) or path (ends in .yaml), with key=value overrides.

    Raises:
        ConfigError: everything wrong with it, at once, each with its path and the known names.
    """
    return read_config(MixtureConfig, find_named(str(name), MIXTURES_DIR, "mixture"), overrides)


def source_of(config: SourceConfig) -> Source:
    """The data set behind one entry of a mixture."""
    if config.reader is None:
        return SOURCES[config.source]
    raw_dir = config.raw_dir or config.source
    return generic_source(config.source, config.domain or "", raw_dir, config.reader, config.options)
