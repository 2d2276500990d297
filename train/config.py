"""What a training run may say: one frozen, typed tree read from YAML. Only run files and `stages.py` see it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from data_prep.config_files import find_named, read_config

CONFIGS_DIR = Path(__file__).parent / "configs"


class BackboneConfig(BaseModel, extra="forbid", frozen=True):
    """The tower. `weights`: null (random), `package:NAME`, `hub:TAG`, or `file:KEY` (path under `weight_files`)."""

    kind: Literal["timm", "open_clip", "tiny"]
    arch: str
    weights: str | None
    patch_stride: int | None = Field(default=None, gt=0)
    narrow_width: int | None = Field(default=None, gt=0, multiple_of=2, description="a smoke run's: channels instead "
                                     "of the architecture's own")


class HeadConfig(BaseModel, extra="forbid", frozen=True):
    """From the tower's features to the embedding. `init: pca` starts the linear layer at the features' main axes."""

    kind: Literal["linear", "root_linear", "bn_linear", "mlp"] = "linear"
    out_dim: int = Field(default=64, gt=0)
    hidden_dim: int = Field(default=512, gt=0)
    init: Literal["random", "pca"] = "random"
    init_whitening: float = Field(default=0.0, ge=0, le=1, description="0 PCA ... 1 whitened")
    init_length: float = Field(default=1.0, gt=0, description="of the first axis' weights")

    @model_validator(mode="after")
    def _pca_needs_one_linear_layer(self) -> "HeadConfig":
        if self.init == "pca" and self.kind not in ("linear", "root_linear"):
            raise ValueError(f"init: pca is for kinds linear and root_linear, not {self.kind!r}")
        return self


class LrRule(BaseModel, extra="forbid", frozen=True):
    """Parameters whose whole name matches: a learning-rate scale, or frozen."""

    match: str
    scale: float | None = Field(default=None, gt=0)
    frozen: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> "LrRule":
        if self.frozen == (self.scale is not None):
            raise ValueError(f"rule {self.match!r}: give a scale or frozen: true, exactly one of them")
        return self


class OptimizerConfig(BaseModel, extra="forbid", frozen=True):
    """`sam` is AdamW with a second gradient `rho` uphill. `layer_decay`: each layer group of the tower below its last
    takes this much of the rate of the group above it, on top of the rules' scales; 1 leaves the rules alone."""

    kind: Literal["adamw", "adam", "sgd", "sam"] = "adamw"
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="for sgd")
    rho: float | None = Field(default=None, gt=0, description="for sam: length of the climb, in units of the weights")
    layer_decay: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _rho_is_for_sam(self) -> "OptimizerConfig":
        if (self.kind == "sam") != (self.rho is not None):
            raise ValueError(f"rho belongs to kind sam, which needs it; kind is {self.kind!r}")
        return self


class ScheduleConfig(BaseModel, extra="forbid", frozen=True):
    """Learning-rate factor over the images of the stage."""

    kind: Literal["cosine", "constant", "step"] = "cosine"
    warmup_images: int = Field(default=0, ge=0)
    final_scale: float = Field(default=0.0, ge=0, le=1, description="for cosine: factor at the end")
    drop_at_epochs: tuple[float, ...] = Field(default=(), description="for step")
    drop_factor: float = Field(default=0.1, gt=0, lt=1, description="for step")


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
    `margin_rad` (largest class) to it (smallest class) with class size to the power -1/4. Both are for arcface.
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

    @model_validator(mode="after")
    def _has_its_values(self) -> "MarginConfig":
        needed = _MARGIN_VALUES[self.kind]
        for name in ("margin_rad", "margin_cos", "margin_std_rad", "margin_std_cos"):
            if (getattr(self, name) is not None) != (name in needed):
                raise ValueError(f"margin kind {self.kind!r} takes {' and '.join(needed) or 'no margin'}; "
                                 f"check {name!r}")
        if self.kind != "arcface" and (self.growth_per_epoch or self.rare_class_margin_rad is not None):
            raise ValueError(f"growth_per_epoch and rare_class_margin_rad are for arcface, not {self.kind!r}")
        return self


class ClassifierConfig(BaseModel, extra="forbid", frozen=True):
    """Class centres. `start`: `new` (random), `class_means` (of the embeddings so far), `keep` (carried by class)."""

    start: Literal["new", "class_means", "keep"] = "new"
    n_sub_centres: int = Field(default=1, ge=1)
    competition: Literal["joint", "per_domain"] = "joint"
    scale: float = Field(default=30.0, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class DistillationConfig(BaseModel, extra="forbid", frozen=True):
    """Keep the geometry of the start tower's wide features (off the shelf, computed once) in the embedding."""

    weight: float = Field(gt=0)
    kind: Literal["kl", "mse"] = "kl"
    temperature: float = Field(default=0.1, gt=0)
    teacher_image_px: int | None = Field(default=None, gt=0, description="default: the stage's image size")


class AugmentationConfig(BaseModel, extra="forbid", frozen=True):
    preset: Literal["none", "light", "standard", "strong"] = "standard"
    min_crop_scale: float = Field(default=0.5, gt=0, le=1)
    horizontal_flip: bool = True


class SamplerConfig(BaseModel, extra="forbid", frozen=True):
    """How batches are drawn. `specialist_steps`: single-source batches in proportion to `steps_by_source`, the steps
    that each source's own specialist took to its best (UnED)."""

    kind: Literal["mixed", "dataset_size", "round_robin", "specialist_steps"] = "mixed"
    images_per_class: int | None = Field(default=None, ge=2)
    steps_by_source: dict[str, int] | None = Field(default=None, description="for specialist_steps: every source")

    @model_validator(mode="after")
    def _steps_are_for_specialists(self) -> "SamplerConfig":
        if (self.kind == "specialist_steps") != bool(self.steps_by_source):
            raise ValueError(f"steps_by_source belongs to kind specialist_steps, which needs it; kind is {self.kind!r}")
        return self


class StageConfig(BaseModel, extra="forbid", frozen=True):
    """One row of the training plan; starts from the checkpoint before it and leaves its own."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    sources: tuple[str, ...] | None = Field(default=None, description="null: every source of the mixture")
    image_px: int = Field(gt=0)
    patch_stride: int | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    images: int | None = Field(default=None, gt=0)
    batch_size: int = Field(gt=0)
    accumulate_batches: int = Field(default=1, ge=1)
    sampler: SamplerConfig = SamplerConfig()
    optimizer: OptimizerConfig
    lr_rules: tuple[LrRule, ...] = Field(min_length=1)
    schedule: ScheduleConfig = ScheduleConfig()
    margin: MarginConfig
    classifier: ClassifierConfig = ClassifierConfig()
    distillation: DistillationConfig | None = None
    head_dropout: float = Field(default=0.0, ge=0, lt=1)
    augmentation: AugmentationConfig = AugmentationConfig()
    batch_norm: Literal["train", "frozen"] = "frozen"
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    start_weight: float = Field(default=0.0, ge=0, lt=1, description="share of the stage's start in its result")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    feature_cache: bool = False
    clip_gradient_norm: float | None = Field(default=None, gt=0)
    rounds: int = Field(default=1, ge=1, description="validations and checkpoints inside the stage, evenly spaced")

    @model_validator(mode="after")
    def _holds_together(self) -> "StageConfig":
        if (self.epochs is None) == (self.images is None):
            raise ValueError("give epochs or images, exactly one of them")
        if self.feature_cache and not any(r.frozen and r.match.startswith("backbone") for r in self.lr_rules):
            raise ValueError("feature_cache needs a frozen backbone: add {match: 'backbone\\..*', frozen: true}")
        if self.optimizer.kind == "sam" and self.accumulate_batches > 1:
            raise ValueError("optimizer sam takes two gradients of one batch: accumulate_batches must be 1")
        if self.optimizer.kind == "sam" and self.precision == "16-mixed":
            raise ValueError("optimizer sam cannot take two gradients under a loss scaler: use bf16-mixed or 32-true")
        if self.margin.kind == "adacos" and self.classifier.competition == "per_domain":
            raise ValueError("margin adacos measures all classes at once: it needs classifier.competition: joint")
        return self


class TrainConfig(BaseModel, extra="forbid", frozen=True):
    """A whole run. `choose`: which stage's result becomes `final.ckpt`."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    seed: int = 0
    mixture: str
    backbone: BackboneConfig
    head: HeadConfig = HeadConfig()
    weight_files: dict[str, str] = Field(default_factory=dict, description="key -> local file, for weights: file:KEY")
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    export_image_px: int | None = Field(default=None, gt=0, description="default: the chosen stage's image size")
    resize: Literal["squash", "shortest_crop"] = "squash"
    choose: Literal["last", "best_validation"] = "last"
    n_workers: int = Field(default=0, ge=0, description="data loading processes")
    n_devices: int = Field(default=1, ge=1)
    n_nodes: int = Field(default=1, ge=1)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"

    @model_validator(mode="after")
    def _starts_and_names(self) -> "TrainConfig":
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"stage names repeat: {names}")
        if self.stages[0].classifier.start == "keep":
            raise ValueError("stages.0: there are no centres to keep before the first stage")
        return self


def load_train_config(name_or_path: str, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """`quickstart` or a path to YAML, with `key=value` overrides. Raises ConfigError with all problems at once."""
    return read_config(TrainConfig, find_named(name_or_path, CONFIGS_DIR, "config"), overrides)
