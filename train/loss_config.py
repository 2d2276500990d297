"""What a config may say of the loss: margin, class centres, distillation from a fixed tower or from teachers."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

# kind -> the values it needs.
_MARGIN_VALUES: dict[str, tuple[str, ...]] = {
    "arcface": ("margin_rad",), "cosface": ("margin_cos",), "none": (), "adacos": (), "li_arcface": ("margin_rad",),
    "curricularface": ("margin_rad",), "adaface": ("margin_rad",), "elastic_arcface": ("margin_rad", "margin_std_rad"),
    "elastic_cosface": ("margin_cos", "margin_std_cos"),
}


class MarginConfig(BaseModel, extra="forbid", frozen=True):
    """How the target cosine is made harder. The margin has its unit in its name.

    `none` is the normalised softmax (UnED: with classifier scale 16). `adacos` sets the scale itself, whatever
    `classifier.scale` says. `adaface` uses `margin_rad` also as its additive margin in cosine units.
    `growth_per_epoch` is added each epoch up to `max_margin_rad`. With `rare_class_margin_rad`, the margin runs from
    `margin_rad` (largest class) to it (smallest class), as `class_size_mapping` says: `power` (class size to the power
    -1/4; places 4, 6) or `cosine` (half a wave over class size; UniFEx). All these are for arcface.
    """

    kind: Literal["arcface", "cosface", "none", "adacos", "li_arcface", "curricularface", "adaface",
                  "elastic_arcface", "elastic_cosface"] = "arcface"
    margin_rad: float | None = Field(default=None, ge=0, lt=3.1416)
    margin_cos: float | None = Field(default=None, ge=0, lt=2)
    margin_std_rad: float | None = Field(default=None, ge=0, lt=3.1416, description="for elastic_arcface")
    margin_std_cos: float | None = Field(default=None, ge=0, lt=2, description="for elastic_cosface")
    norm_influence: float = Field(default=0.333, gt=0, description="for adaface: h, of the embedding's length")
    growth_per_epoch: float = Field(default=0.0, ge=0)
    max_margin_rad: float = Field(default=0.8, ge=0)
    rare_class_margin_rad: float | None = Field(default=None, ge=0, lt=3.1416)
    class_size_mapping: Literal["power", "cosine"] = "power"

    @model_validator(mode="after")
    def _has_its_values(self) -> "MarginConfig":
        needed = _MARGIN_VALUES[self.kind]
        for name in ("margin_rad", "margin_cos", "margin_std_rad", "margin_std_cos"):
            if (getattr(self, name) is not None) != (name in needed):
                raise ValueError(f"margin kind {self.kind!r} takes {' and '.join(needed) or 'no margin'}; "
                                 f"check {name!r}")
        if self.kind != "arcface" and (self.growth_per_epoch or self.rare_class_margin_rad is not None):
            raise ValueError(f"growth_per_epoch and rare_class_margin_rad are for arcface, not {self.kind!r}")
        if self.rare_class_margin_rad is not None and self.rare_class_margin_rad < self.margin_rad:
            raise ValueError(f"rare_class_margin_rad {self.rare_class_margin_rad} is below margin_rad "
                             f"{self.margin_rad}; margins grow as classes get rarer")
        if self.class_size_mapping != "power" and self.rare_class_margin_rad is None:
            raise ValueError("class_size_mapping needs rare_class_margin_rad")
        return self


class ClassifierConfig(BaseModel, extra="forbid", frozen=True):
    """Class centres and the softmax over them.

    `start`: `new` (random), `class_means` (of the embeddings so far) or `keep` (carried by class from the last stage
    that had it). Learning-rate rules see the centres as `classifier.centres`.
    Above `chunk_above_logits` (batch of a device x classes x sub-centres) the softmax goes over chunks of classes and
    no table of all cosines is made: the same loss and gradients up to float32 rounding, faster and with far less
    memory. Margin `adacos` and stages with `domain_teachers` need that table and always make it.
    """

    start: Literal["new", "class_means", "keep"] = "new"
    n_sub_centres: int = Field(default=1, ge=1)
    competition: Literal["joint", "per_domain"] = "joint"
    scale: float = Field(default=30.0, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    focal_gamma: float = Field(default=0.0, ge=0, description="focal loss: images already right count less")
    chunk_above_logits: int = Field(default=2**23, ge=0, description="0: always in chunks")


class DistillationConfig(BaseModel, extra="forbid", frozen=True):
    """Keep the geometry of the start tower's wide features (off the shelf, computed once) in the embedding."""

    weight: float = Field(gt=0)
    kind: Literal["kl", "mse"] = "kl"
    temperature: float = Field(default=0.1, gt=0)
    teacher_image_px: int | None = Field(default=None, gt=0, description="default: the stage's image size")


class DomainTeachersConfig(BaseModel, extra="forbid", frozen=True):
    """A teacher for each domain that learns beside the student, and that it learns from (UDON, arXiv 2406.08332).

    A teacher is a linear layer on the tower's features and centres of its domain's classes, under a softmax without
    margin at `classifier.scale`. The student's loss gets the teacher's shares over the domain's classes (softmax of
    cosine / `temperature`) and its similarities within the batch. Teachers are not exported; a later stage that has
    teachers too goes on with them. Learning-rate rules see `teachers.projection.*` and `teachers.classifier.centres`.
    UDON's own form also has single-domain batches and `classifier: {competition: per_domain, scale: 16}`.
    Defaults are those of its published code. That sums the squared differences of similarities over the 32 images of a
    device; here they are averaged over the pairs, so its weight 1 is 31.
    """

    dim: int = Field(default=256, gt=0, description="numbers of a teacher's embedding")
    teacher_weight: float = Field(default=1.0, gt=0, description="of the teachers' own classification")
    logit_weight: float = Field(default=1.0, ge=0)
    relation_weight: float = Field(default=31.0, ge=0)
    temperature: float = Field(default=0.1, gt=0, description="of logit distillation, in units of the cosine")

    @model_validator(mode="after")
    def _teaches_something(self) -> "DomainTeachersConfig":
        if self.logit_weight == self.relation_weight == 0:
            raise ValueError("teachers that teach nothing: give logit_weight or relation_weight above 0")
        return self
