"""Run one stage; run all in order; go on after an interruption to the same weights."""

import gc
import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from data_prep.errors import ConfigError
from data_prep.progress import is_watched
from train.callbacks import MetricsLog, ProgressLines, RoundCheckpoint, StopBetweenSteps
from train.checkpoint import describe_member, load_checkpoint, rebuild_member, save_checkpoint
from train.config import TrainConfig
from train.data.feature_cache import compute_features
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader
from train.faults import named_faults
from train.finite_loss import FiniteLoss
from train.lightning_module import StageModule, validation_values
from train.model.embedder import Embedder
from train.model.heads import set_dropout
from train.processes import first_does, first_then_others, is_first
from train.run_log import draw_curves, drop_metrics_after
from train.stages.centres import build_classifier, centres_so_far, set_to_class_means
from train.stages.data import StageData, TrainingSet, items_of, plan_stage, read_training_set
from train.stages.features import first_view, stage_features
from train.stages.final import check_views, final_preprocess, stored_scores, write_final
from train.stages.lightning_loop import fit_module
from train.stages.objective import build_objective
from train.stages.off_the_shelf import write_off_the_shelf
from train.stages.optimizer import build_optimizer
from train.stages.preflight import check_stages, check_validation_pictures
from train.stages.run_folder import (
    Places,
    check_shards,
    claim_run_dir,
    damaged_samples,
    only_run_in,
    step_reached_in,
)
from train.stages.start import (
    loading_processes,
    preprocess_of,
    set_gradient_checkpointing,
    set_resolution,
    start_embedder,
    teacher_features,
    to_device,
)
from train.stages.teachers import build_teachers, save_teachers
from train.stopping import STOP
from train.tracking import Tracker, check_trackers

_LOOK_EVERY_STEPS = 100  # at most so many steps run on after a loss that is no number


@dataclass
class Progress:
    """What one stage hands to the next; the centres are those of every class so far. `teachers_path`: the file of the
    last stage that had domain teachers."""

    embedder: Embedder
    head_spec: dict
    centres: Tensor | None
    class_names: tuple[str, ...]
    teachers_path: Path | None = None


def run_stages(config: TrainConfig, places: Places, resume: bool) -> Path:
    """Train every stage that is not done yet and write `final.ckpt`; its path.

    A finished stage is its checkpoint; inside a stage work goes on after its last round. Either way the final weights
    are those of a run that was never interrupted (same machine, same number of threads and processes).

    With several processes (`join_processes`) all call this; the first one writes.

    Raises:
        ConfigError: the folder is in use, holds another run, or this one unfinished and `resume` is off; shards that
            changed or val pictures that are damaged; a stage still to come that cannot begin (`check_stages`).
        TrainingError, WorkerDied: see `named_faults` and `FiniteLoss`.
        Stopped: asked to stop, after the state was written.
    """
    check_trackers(config.tracking)
    manifest_sha256 = check_shards(config, places.shards_dir)
    with ExitStack() as held:  # by the first process, for all of them
        first_does(lambda: held.enter_context(only_run_in(places.run_dir)))
        first_does(lambda: claim_run_dir(config, places.run_dir, resume))
        return _run_stages_in(config, places, manifest_sha256)


def _run_stages_in(config: TrainConfig, places: Places, manifest_sha256: str) -> Path:
    """The stages, in a folder that is this run's."""
    places = replace(places, left_out=damaged_samples(config, places))
    to_come = [i for i, stage in enumerate(config.stages) if not places.stage_path(i, stage).is_file()]
    if to_come or not config.stages:
        first_does(lambda: check_validation_pictures(places.shards_dir))
    if not config.stages:
        start_path = places.run_dir / "off_the_shelf.ckpt"
        first_does(lambda: write_off_the_shelf(
            config, places.shards_dir, start_path, places.cache_dir, places.left_out))
        return _finish(config, [start_path], places)
    # Read once for the checks and for all stages: the headers of every shard take a minute a million images.
    read_data = cache(lambda sources: read_training_set(places.shards_dir, sources, places.left_out))
    check_stages(config, to_come, read_data)
    progress: Progress | None = None
    for index, stage in enumerate(config.stages):
        path = places.stage_path(index, stage)
        if path.is_file():
            done = load_checkpoint(path)
            if done.meta["manifest_sha256"] != manifest_sha256:
                raise ConfigError(f"{path}: trained on other shards than {places.shards_dir} holds now; use a new run")
            progress = Progress(done.embedder, done.head_spec, done.centres, done.class_names)
            _say(config, index, f"done, val mMP@5 {done.meta['val']['mMP@5']:.4f}")
            continue
        progress = run_stage(config, index, progress, places, read_data(stage.sources))
        gc.collect()  # Lightning's loop hangs in cycles, and with it the stage's optimizer and average of the weights
    stage_paths = [places.stage_path(index, stage) for index, stage in enumerate(config.stages)]
    final_path = _finish(config, stage_paths, places)
    first_does(lambda: draw_curves(places.run_dir))
    return final_path


def _finish(config: TrainConfig, stage_paths: list[Path], places: Places) -> Path:
    return first_does(lambda: write_final(config, stage_paths, places.shards_dir, places.run_dir, places.left_out))


def run_stage(
    config: TrainConfig, index: int, progress: Progress | None, places: Places, data: TrainingSet
) -> Progress:
    """Train stage `index` on `data` from what the stage before left (None: from the backbone's own weights)."""
    stage = config.stages[index]
    seed = stage_seed(config.seed, index)
    torch.manual_seed(seed)
    _say(config, index, f"{stage.image_px} px")
    validation = ShardReader(places.shards_dir, "val")
    if progress is None:
        start = first_then_others(lambda: start_embedder(config, stage, data.reader, places.cache_dir))
        progress = Progress(*start, None, ())
        last = preprocess_of(progress.embedder.backbone, config.stages[-1].image_px, config.resize)
        check_views(progress.embedder.backbone, final_preprocess(config, last))
    progress.teachers_path = places.teachers_before(config, index)
    embedder = progress.embedder
    set_resolution(embedder.backbone, stage.image_px, stage.patch_stride)
    set_dropout(embedder.head, stage.head_dropout)
    spec = preprocess_of(embedder.backbone, stage.image_px, config.resize)
    start_state = {k: v.clone() for k, v in embedder.state_dict().items()} if stage.start_weight > 0 else {}
    module, loaders = assemble_stage(config, index, progress, (data, validation, spec), places.cache_dir, seed)
    _fit(config, index, module, loaders, places)

    embedder, centres = _whole_parts(module, progress.head_spec, spec)
    scores = dict(module.last_validation)
    if stage.start_weight > 0:
        mix_with_start(embedder, start_state, stage.start_weight)
        scores = first_does(lambda: _validate(embedder, validation, spec, config.accelerator, stage.precision))
    meta = _stage_meta(config, index, data, scores)
    classes = centres_so_far((centres, data.class_names), (progress.centres, progress.class_names))

    def write() -> None:
        if module.teachers is not None:  # before the checkpoint, which says that the stage is done
            save_teachers(places.teachers_path(index, stage), module.teachers, data, progress.teachers_path)
        save_checkpoint(places.stage_path(index, stage), embedder, progress.head_spec, spec, classes, meta)
        places.unfinished_path(index, stage).unlink(missing_ok=True)

    first_does(write)
    _say(config, index, f"val mMP@5 {meta['val']['mMP@5']:.4f}")
    STOP.stop_if_heard()
    return Progress(embedder, progress.head_spec, *classes)


def _whole_parts(module: StageModule, head_spec: dict, spec: PreprocessSpec) -> tuple[Embedder, Tensor]:
    """Embedder and centres [C, K, D] as trained, on the CPU; what FSDP has cut up is put together in every process."""
    if not module.is_sharded:
        return module.embedder.cpu().eval(), module.classifier.centres.detach().cpu()
    from train.sharding import whole_state  # slow to import, and most runs need it not

    state, centres = whole_state(module.embedder), whole_state(module.classifier)["centres"]
    content = describe_member(module.embedder, head_spec, spec, state)
    return rebuild_member(content, Path("the stage that ends"))[0], centres


def stage_seed(run_seed: int, index: int) -> int:
    """The seed of stage `index` of a run."""
    return int(np.random.SeedSequence([run_seed, index]).generate_state(1)[0]) >> 1


def assemble_stage(
    config: TrainConfig, index: int, progress: Progress,
    inputs: tuple[TrainingSet, ShardReader, PreprocessSpec], cache_dir: Path, seed: int,
) -> tuple[StageModule, StageData]:
    """The Lightning module and the loaders of a stage."""
    stage = config.stages[index]
    data, validation, spec = inputs
    embedder = progress.embedder
    to_device(embedder, config.accelerator)
    set_gradient_checkpointing(embedder.backbone, stage.gradient_checkpointing)
    n_workers = loading_processes(config)
    features = None
    if stage.feature_cache:
        readers = (data.reader, validation)
        features = first_then_others(
            lambda: stage_features(stage, embedder.backbone, readers, spec, cache_dir, n_workers))
    before = (progress.centres, progress.class_names)
    out_dim = progress.head_spec["out_dim"]
    classifier = build_classifier(stage.classifier, data.class_names, before, out_dim, seed)
    if stage.classifier.start == "class_means":
        known = None if features is None else first_view(features[0])
        set_to_class_means(classifier, embedder, data, spec, known, n_workers, stage.precision)
    teacher = None
    if stage.distillation:
        teacher = first_then_others(lambda: teacher_features(config, stage, data.reader, cache_dir))
    domain_teachers = None
    if stage.domain_teachers is not None:
        domain_teachers = build_teachers(stage, data, embedder.backbone.width, progress.teachers_path, seed)
    objective = build_objective(stage, data, seed, teacher, domain_teachers)
    module = StageModule(embedder, classifier, spec, objective, data.class_rows, items_of(validation.table))
    if stage.compile:
        module.compiled_features = torch.compile(embedder.features)
    plan = plan_stage(data, stage, seed)
    if stage.sampler.kind == "by_loss":
        module.note_sources(data.source_rows, len(plan.round_starts))
    n_images = len(plan.batches) * stage.batch_size
    layer_groups = embedder.backbone.layer_groups()
    module.make_optimizer = lambda: build_optimizer(
        stage, module.named_parts(), n_images, data.n_images_per_epoch, layer_groups)
    return module, StageData(data, plan, stage, (validation, spec), (seed, n_workers), features)


def _say(config: TrainConfig, index: int, text: str) -> None:
    if is_first():
        print(f"stage {index + 1}/{len(config.stages)} {config.stages[index].name}: {text}", flush=True)


def _fit(config: TrainConfig, index: int, module: StageModule, loaders: StageData, places: Places) -> None:
    """Lightning's loop over the rounds that are left."""
    stage = config.stages[index]
    n_steps = len(loaders.plan.batches) // stage.accumulate_batches
    unfinished_path = places.unfinished_path(index, stage)
    step_reached = first_does(lambda: step_reached_in(unfinished_path))
    first_does(lambda: drop_metrics_after(places.run_dir, stage.name, step_reached))
    every_steps = max(1, n_steps // 100)
    finite_loss = FiniteLoss(stage.name, loaders.training.reader.table.keys, min(every_steps, _LOOK_EVERY_STEPS),
                             lambda: places.last_good(config, index))
    images_reached = step_reached * module.objective.images_per_step
    settings = config.model_dump(mode="json")
    open_tracker = partial(
        Tracker, config.tracking, places.run_dir, config.name, settings, stage.name, images_reached
    ) if config.tracking else None  # fmt: skip
    callbacks: list[pl.Callback] = [
        pl.callbacks.TQDMProgressBar(refresh_rate=every_steps) if is_watched() else ProgressLines(n_steps),
        MetricsLog(places.run_dir, stage.name, every_steps, open_tracker),
        finite_loss,
        RoundCheckpoint(unfinished_path),
        StopBetweenSteps(unfinished_path, finite_loss.check),
    ]
    where = f"stages.{index} ({stage.name})"
    with named_faults(where, (stage.batch_size, stage.accumulate_batches, stage.image_px), loaders.n_workers):
        fit_module(config, stage, module, loaders, callbacks, unfinished_path if step_reached else None)


def mix_with_start(embedder: Embedder, start_state: dict[str, Tensor], start_weight: float) -> None:
    """Weights = start_weight * start + (1 - start_weight) * trained (WiSE-FT, arXiv 2109.01903)."""
    mixed = {
        name: torch.lerp(value, start_state[name].to(value), start_weight) if value.is_floating_point() else value
        for name, value in embedder.state_dict().items()
    }
    embedder.load_state_dict(mixed)


def _validate(
    embedder: Embedder, validation: ShardReader, spec: PreprocessSpec, accelerator: str, precision: str
) -> dict[str, float]:
    to_device(embedder, accelerator)
    embeddings = compute_features(embedder, validation, spec, title="validation", precision=precision)
    embedder.cpu()
    return validation_values(embeddings, items_of(validation.table))


def _stage_meta(config: TrainConfig, index: int, data: TrainingSet, scores: dict[str, float]) -> dict:
    return {
        "run": config.name,
        "stage_index": index,
        "stage": config.stages[index].name,
        "seed": config.seed,
        "val": stored_scores(scores),
        "label_hash": hashlib.sha256("\n".join(data.class_names).encode()).hexdigest(),
        "manifest_sha256": data.reader.manifest.sha256,
        "config": json.loads(config.model_dump_json()),
    }
