"""What can be known to be wrong with the stages that are still to come, before the first of them trains.

A mistake that shows only when its stage begins costs the stages before it: the run's folder takes no other config.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from data_prep.errors import ConfigError
from train.config import StageConfig, TrainConfig
from train.data.damage import find_damage
from train.data.readers import REPAIR
from train.estimate import build_on_meta, named_on_meta, teachers_on_meta
from train.model.embedder import Embedder
from train.processes import n_processes
from train.stages.data import TrainingSet, plan_stage
from train.stages.margin import build_margin
from train.stages.optimizer import build_optimizer
from train.stages.start import set_gradient_checkpointing, set_resolution

# Sources of a stage (None: all) -> its training samples.
ReadData = Callable[[tuple[str, ...] | None], TrainingSet]


def check_validation_pictures(shards_dir: Path) -> None:
    """Raise ConfigError for damaged val pictures: every round scores all of them, so none can be left out.

    Every val shard is read once (`find_damage`), as a validation reads it.
    """
    rows = find_damage(shards_dir, "val")
    if rows:
        n_samples = sum(row["n_samples"] for row in rows)
        where = str(shards_dir / rows[0]["shard"]) + (f", sample {rows[0]['key']}" if rows[0]["key"] else "")
        raise ConfigError(f"{where}: damaged since it was packed: {rows[0]['reason']}; {n_samples} val sample(s) are, "
                          f"and every round scores all of the val split; {REPAIR}")


def check_stages(config: TrainConfig, indices: Sequence[int], read_data: ReadData) -> None:
    """Plan these stages, and build their models on the meta device: seconds, no weights and no memory for them.

    Raises:
        ConfigError: what a stage would complain of when it begins; the message names it.
    """
    for index in indices:
        stage = config.stages[index]
        try:
            _check_stage(config, stage, read_data(stage.sources))
        except ConfigError as error:
            raise ConfigError(f"stages.{index} ({stage.name}): {error}") from error


def _check_stage(config: TrainConfig, stage: StageConfig, data: TrainingSet) -> None:
    n_classes = len(data.class_names)
    n_images = plan_stage(data, stage, config.seed).batches.size
    build_margin(stage.margin, data.class_rows, n_classes, data.n_images_per_epoch, stage.classifier.scale)
    try:
        embedder, classifier = build_on_meta(config, stage, n_classes)
        set_resolution(embedder.backbone, stage.image_px, stage.patch_stride)
    except RuntimeError:  # a tower that looks at its values while it is built; the stage itself will tell
        return
    _check_gradient_checkpointing(stage, embedder)
    named = named_on_meta(embedder, classifier, teachers_on_meta(stage, embedder.backbone.width, n_classes))
    build_optimizer(stage, named, n_images, data.n_images_per_epoch, embedder.backbone.layer_groups())
    _check_batch_norm(stage, embedder.head)


def _check_gradient_checkpointing(stage: StageConfig, embedder: Embedder) -> None:
    try:
        set_gradient_checkpointing(embedder.backbone, stage.gradient_checkpointing)
    except AssertionError as error:  # timm's word for a tower that has the switch and cannot
        raise ConfigError(f"gradient_checkpointing: tower {embedder.backbone.arch!r}: {error}; expected "
                          "gradient_checkpointing: false") from error


def _check_batch_norm(stage: StageConfig, head: nn.Module) -> None:
    """A head that trains with a batch norm needs two images in every process; the rules must have been applied."""
    has_norm = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in head.modules())
    n_each = stage.batch_size // n_processes()
    if has_norm and n_each < 2 and any(parameter.requires_grad for parameter in head.parameters()):
        raise ConfigError(f"batch_size {stage.batch_size}: the head's batch norm takes the mean of a batch, and "
                          f"{n_processes()} process(es) get {n_each} image(s) each; expected at least "
                          f"{2 * n_processes()}, or a head without batch norm")
