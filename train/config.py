"""What a training run may say: one frozen, typed tree read from YAML. Only run files and `stages.py` see it."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from data_prep.config_files import find_named, read_config
from train.loss_config import ClassifierConfig, DistillationConfig, DomainTeachersConfig, MarginConfig
from train.model_config import BackboneConfig, HeadConfig

CONFIGS_DIR = Path(__file__).parent / "configs"


class LrRule(BaseModel, extra="forbid", frozen=True):
    """Some parameters and their learning-rate scale, or that they are frozen.

    `match`: a regular expression for the whole name, which starts with `backbone.`, `head.` or
    `teachers.` or is `classifier.centres`.
    `blocks`: a transformer tower's blocks, [first, end): [0, 10] is blocks 0 to 9.
    `weight_decay`: theirs instead of the optimizer's (4th place decays tower and head differently).
    """

    match: str | None = None
    blocks: tuple[int, int] | None = None
    scale: float | None = Field(default=None, gt=0)
    frozen: bool = False
    weight_decay: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "LrRule":
        if (self.match is None) == (self.blocks is None):
            raise ValueError("a rule needs match or blocks, exactly one of them")
        if self.blocks is not None and not 0 <= self.blocks[0] < self.blocks[1]:
            raise ValueError(f"rule blocks {list(self.blocks)}: expected [first, end] with 0 <= first < end")
        if self.frozen == (self.scale is not None):
            raise ValueError(f"rule {self.match or self.blocks!r}: give a scale or frozen: true, exactly one of them")
        if self.frozen and self.weight_decay is not None:
            raise ValueError(f"rule {self.match or self.blocks!r}: frozen parameters have no weight_decay")
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
    """Learning-rate factor over the images of the stage: a straight warm-up, then what `kind` says. `step` drops at
    given epochs, `exponential` every so many (0.1 for each tenth of the data). A warm-up is cut to the stage."""

    kind: Literal["cosine", "linear", "constant", "step", "exponential"] = "cosine"
    warmup_images: int = Field(default=0, ge=0)
    warmup_epochs: float | None = Field(default=None, gt=0, description="instead of warmup_images")
    warmup_start: float = Field(default=0.0, ge=0, lt=1, description="factor at the first image of the warm-up")
    final_scale: float = Field(default=0.0, ge=0, le=1, description="for cosine and linear: factor at the end")
    drop_at_epochs: tuple[float, ...] = Field(default=(), description="for step")
    drop_every_epochs: float | None = Field(default=None, gt=0, description="for exponential, counted from the warm-up")
    drop_factor: float = Field(default=0.1, gt=0, lt=1, description="for step and exponential")

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> "ScheduleConfig":
        if (self.kind == "step") != bool(self.drop_at_epochs):
            raise ValueError(f"drop_at_epochs belongs to kind step, which needs it; kind is {self.kind!r}")
        if (self.kind == "exponential") != (self.drop_every_epochs is not None):
            raise ValueError(f"drop_every_epochs belongs to kind exponential, which needs it; kind is {self.kind!r}")
        if self.warmup_epochs is not None and self.warmup_images:
            raise ValueError("give warmup_images or warmup_epochs, not both")
        if self.final_scale and self.kind not in ("cosine", "linear"):
            raise ValueError(f"final_scale is for cosine and linear, not {self.kind!r}")
        return self


class AugmentationConfig(BaseModel, extra="forbid", frozen=True):
    preset: Literal["none", "crop", "light", "standard", "strong"] = "standard"
    min_crop_scale: float = Field(default=0.5, gt=0, le=1)
    horizontal_flip: bool = True


class SamplerConfig(BaseModel, extra="forbid", frozen=True):
    """How batches are drawn. `specialist_steps`: single-source batches in proportion to `steps_by_source`, the steps
    that each source's own specialist took to its best (UnED). `by_loss`: single-source batches, evenly in the stage's
    first round, then in proportion to each source's loss in the round before (UDON): the classification of the domain
    teachers where there are some, else the student's."""

    kind: Literal["mixed", "dataset_size", "round_robin", "specialist_steps", "by_loss"] = "mixed"
    images_per_class: int | None = Field(default=None, ge=2)
    steps_by_source: dict[str, int] | None = Field(default=None, description="for specialist_steps: every source")

    @model_validator(mode="after")
    def _steps_are_for_specialists(self) -> "SamplerConfig":
        if (self.kind == "specialist_steps") != bool(self.steps_by_source):
            raise ValueError(f"steps_by_source belongs to kind specialist_steps, which needs it; kind is {self.kind!r}")
        return self


class FeatureCacheConfig(BaseModel, extra="forbid", frozen=True):
    """Instead of `feature_cache: true`, which keeps the features of every train image as it is: so many views of it,
    each augmented as the stage says; a step draws one. Validation sees the images as they are."""

    views: int = Field(ge=1)


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
    domain_teachers: DomainTeachersConfig | None = None
    head_dropout: float = Field(default=0.0, ge=0, lt=1, description="of the head's own dropout layer, see HeadConfig")
    augmentation: AugmentationConfig = AugmentationConfig()
    batch_norm: Literal["train", "frozen"] = "frozen"
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    start_weight: float = Field(default=0.0, ge=0, lt=1, description="share of the stage's start in its result")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    feature_cache: bool | FeatureCacheConfig = False
    compile: bool = Field(default=False, description="the tower by torch.compile; needs a C++ compiler")
    gradient_checkpointing: bool = Field(
        default=False, description="compute each block's activations again when going back: less memory, more time")
    clip_gradient_norm: float | None = Field(default=None, gt=0)
    rounds: int = Field(default=1, ge=1, description="validations and checkpoints inside the stage, evenly spaced")

    @model_validator(mode="after")
    def _holds_together(self) -> "StageConfig":
        if (self.epochs is None) == (self.images is None):
            raise ValueError("give epochs or images, exactly one of them")
        if self.feature_cache and not any(r.frozen and "backbone" in (r.match or "") for r in self.lr_rules):
            raise ValueError("feature_cache needs a frozen backbone: add {match: 'backbone\\..*', frozen: true}")
        if isinstance(self.feature_cache, FeatureCacheConfig) and self.augmentation.preset == "none":
            raise ValueError("feature_cache.views are augmented views: give an augmentation.preset other than none, or "
                             "feature_cache: true")
        if self.feature_cache and (self.compile or self.gradient_checkpointing):
            raise ValueError("compile and gradient_checkpointing are for the tower, which a stage with feature_cache "
                             "does not run")
        if self.optimizer.kind == "sam" and self.accumulate_batches > 1:
            raise ValueError("optimizer sam takes two gradients of one batch: accumulate_batches must be 1")
        if self.optimizer.kind == "sam" and self.precision == "16-mixed":
            raise ValueError("optimizer sam cannot take two gradients under a loss scaler: use bf16-mixed or 32-true")
        if self.margin.kind == "adacos" and self.classifier.competition == "per_domain":
            raise ValueError("margin adacos measures all classes at once: it needs classifier.competition: joint")
        if self.distillation is not None and self.batch_size == 1:
            raise ValueError("distillation compares the images of a batch: give batch_size 2 or more")
        if self.sampler.kind == "by_loss" and self.rounds == 1:
            raise ValueError("sampler by_loss weighs the sources anew after each round: give rounds above 1")
        return self


class ViewConfig(BaseModel, extra="forbid", frozen=True):
    """One look at each image when scoring and in the exported file; embeddings are the mean over all looks.

    `image_px` other than the export size is for convolutional towers. `crop`: this share of each side, from the centre
    or the corner `at`.
    """

    image_px: int | None = Field(default=None, gt=0, description="default: the export size")
    resize: Literal["squash", "shortest_crop", "pad"] | None = Field(default=None, description="default: the run's")
    crop: float = Field(default=1.0, gt=0, le=1)
    flip: bool = False
    at: Literal["centre", "top_left", "top_right", "bottom_left", "bottom_right"] = "centre"

    @model_validator(mode="after")
    def _corner_needs_a_crop(self) -> "ViewConfig":
        if self.at != "centre" and self.crop == 1.0:
            raise ValueError(f"at: {self.at} without a crop is the whole picture; give crop below 1, such as 0.875")
        return self


class ProjectionConfig(BaseModel, extra="forbid", frozen=True):
    """After training: from a wider head to `out_dim` numbers, fitted on images of the sources that were trained on.

    kind     `pca`: along the main axes of their embeddings. `similarity`: from there on, to what keeps their
             similarities best (`fit_similarity_projection`): those in the wide embedding and, to `tower_share`, those
             in the tower's features, which labels have shaped less
    after    where it is applied: `raw` is the head's output (folded into its last linear layer where there is one),
             `unit` is that made unit length
    fitted_on  the same by default; 6th place fitted on `raw` and applied after `unit`
    augmented_views  how many random looks by `augmentation` at each image it is fitted on, beside the plain one: crops
             and colours show it more of what new domains may look like
    """

    kind: Literal["pca", "similarity"] = "pca"
    out_dim: int = Field(default=64, gt=0)
    whitening: float = Field(default=0.0, ge=0, le=1, description="0 PCA ... 1 whitened")
    tower_share: float | None = Field(default=None, ge=0, le=1, description="for similarity")
    temperature: float | None = Field(default=None, gt=0, description="for similarity: in units of the cosine")
    after: Literal["raw", "unit"] = "unit"
    fitted_on: Literal["raw", "unit"] | None = None
    images: int = Field(default=20_000, gt=0, description="at most so many train images, chosen by a stable hash")
    augmented_views: int = Field(default=0, ge=0)
    augmentation: AugmentationConfig | None = Field(default=None, description="for augmented_views")

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "ProjectionConfig":
        for name in ("tower_share", "temperature"):
            if (self.kind == "similarity") != (getattr(self, name) is not None):
                raise ValueError(f"{name} belongs to kind similarity, which needs it; kind is {self.kind!r}")
        if (self.augmented_views > 0) != (self.augmentation is not None):
            raise ValueError("augmented_views above 0 need an augmentation, and an augmentation needs them")
        if self.augmentation is not None and self.augmentation.preset == "none":
            raise ValueError("augmentation: preset none changes no image, so its views would be copies")
        if self.kind == "similarity" and self.fitted_on not in (None, self.after):
            raise ValueError(f"kind similarity is fitted on what it is applied after: fitted_on must be {self.after!r}")
        return self


class TrainConfig(BaseModel, extra="forbid", frozen=True):
    """A whole run. `choose`: which stage's result becomes `final.ckpt`.

    Without stages the run is a tower off the shelf: `final.ckpt` is the tower and its head as they start.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    seed: int = Field(default=0, ge=0)
    mixture: str
    backbone: BackboneConfig
    head: HeadConfig = HeadConfig()
    weight_files: dict[str, str] = Field(default_factory=dict, description="key -> local file, for weights: file:KEY")
    stages: tuple[StageConfig, ...]
    export_image_px: int | None = Field(default=None, gt=0, description="default: the chosen stage's image size")
    resize: Literal["squash", "shortest_crop"] = "squash"
    views: tuple[ViewConfig, ...] = Field(default=(ViewConfig(),), min_length=1,
                                          description="of final.ckpt; stages validate with one plain view")
    projection: ProjectionConfig | None = None
    choose: Literal["last", "best_validation"] = "last"
    tracking: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = Field(
        default=("tensorboard",), description="where the numbers of metrics.jsonl go besides; [] for nowhere"
    )
    n_workers: int | None = Field(default=None, ge=0, description="data loading processes; null: by the CPUs there are")
    n_devices: int = Field(default=1, ge=1, description="processes a machine, one a GPU")
    n_nodes: int = Field(default=1, ge=1, description="machines; torchrun and Slurm say both themselves")
    strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp", description="fsdp: weights and optimizer state are cut up over the GPUs, for a tower beyond one")
    on_bad_shard: Literal["error", "skip"] = Field(
        default="error", description="skip: damaged train samples are found before training, named and left out")
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"

    @model_validator(mode="after")
    def _starts_and_names(self) -> "TrainConfig":
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"stage names repeat: {names}")
        if not self.stages and self.export_image_px is None:
            raise ValueError("without stages there is no image size: give export_image_px")
        if self.stages and self.stages[0].classifier.start == "keep":
            raise ValueError("stages.0: there are no centres to keep before the first stage")
        for number, (before, stage) in enumerate(pairwise(self.stages), start=1):
            n_before, n_wanted = before.classifier.n_sub_centres, stage.classifier.n_sub_centres
            if stage.classifier.start == "keep" and n_wanted != n_before:
                raise ValueError(f"stages.{number} ({stage.name}): classifier.start keep needs the n_sub_centres of "
                                 f"the stage before, {n_before}; got {n_wanted}")
        if len(set(self.views)) != len(self.views):
            raise ValueError("views: the same view twice changes nothing but the cost")
        if self.projection is not None and self.projection.out_dim > self.head.out_dim:
            raise ValueError(f"projection.out_dim {self.projection.out_dim} is above head.out_dim {self.head.out_dim}")
        dims = {stage.domain_teachers.dim for stage in self.stages if stage.domain_teachers is not None}
        if len(dims) > 1:
            raise ValueError(f"domain_teachers.dim differs between stages ({sorted(dims)}); they are carried from one "
                             "stage to the next, so it must be the same")
        return self

    @model_validator(mode="after")
    def _can_be_cut_up(self) -> "TrainConfig":
        for number, stage in enumerate(self.stages if self.strategy == "fsdp" else ()):
            whole_only = {
                "ema_decay": stage.ema_decay is not None, "optimizer.kind: sam": stage.optimizer.kind == "sam",
                "domain_teachers": stage.domain_teachers is not None,
                "precision: 16-mixed": stage.precision == "16-mixed",
            }
            for key in (key for key, is_set in whole_only.items() if is_set):
                raise ValueError(f"stages.{number}: {key} does not work on weights that are cut up; expected "
                                 "strategy: ddp, or a stage without it")
        return self


def load_train_config(name_or_path: str, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """`quickstart` or a path to YAML, with `key=value` overrides. Raises ConfigError with all problems at once."""
    return read_config(TrainConfig, find_named(name_or_path, CONFIGS_DIR, "config"), overrides)
