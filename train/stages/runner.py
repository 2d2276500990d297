"""Run one stage; run all in order; go on after an interruption to the same weights."""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from data_prep.config_files import read_config, write_config
from data_prep.errors import ConfigError
from data_prep.progress import is_watched
from train.callbacks import MetricsLog, ProgressLines, RoundCheckpoint
from train.checkpoint import load_checkpoint, save_checkpoint
from train.config import StageConfig, TrainConfig
from train.cpu_settings import settle_cpus
from train.data.feature_cache import compute_features
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader
from train.lightning_module import StageModule, validation_values
from train.model.embedder import Embedder
from train.model.heads import set_dropout
from train.run_log import draw_curves, drop_metrics_after, write_environment
from train.stages.centres import build_classifier, centres_so_far, set_to_class_means
from train.stages.data import StageData, TrainingSet, items_of, plan_stage, read_training_set
from train.stages.features import stage_features
from train.stages.final import check_views, final_preprocess, stored_scores, write_final
from train.stages.lightning_loop import fit_module
from train.stages.objective import build_objective
from train.stages.off_the_shelf import write_off_the_shelf
from train.stages.optimizer import build_optimizer
from train.stages.start import (
    preprocess_of,
    set_gradient_checkpointing,
    set_resolution,
    start_embedder,
    teacher_features,
    to_device,
)
from train.stages.teachers import build_teachers, save_teachers
from train.tracking import Tracker, check_trackers


@dataclass
class Progress:
    """What one stage hands to the next; the centres are those of every class so far. `teachers_path`: the file of the
    last stage that had domain teachers."""

    embedder: Embedder
    head_spec: dict
    centres: Tensor | None
    class_names: tuple[str, ...]
    teachers_path: Path | None = None


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes."""

    shards_dir: Path
    run_dir: Path
    features_dir: Path | None = None  # features of frozen towers, which runs may share; null: run_dir/cache

    def stage_path(self, index: int, stage: StageConfig) -> Path:
        return self.run_dir / f"stage-{index + 1}-{stage.name}.ckpt"

    def teachers_path(self, index: int, stage: StageConfig) -> Path:
        return self.run_dir / f"stage-{index + 1}-{stage.name}.teachers.pt"

    def teachers_before(self, config: TrainConfig, index: int) -> Path | None:
        """Those of the last stage before this one that had domain teachers."""
        taught = [i for i in range(index) if config.stages[i].domain_teachers is not None]
        return self.teachers_path(taught[-1], config.stages[taught[-1]]) if taught else None

    @property
    def cache_dir(self) -> Path:
        return self.features_dir or self.run_dir / "cache"

    def unfinished_path(self, index: int, stage: StageConfig) -> Path:
        return self.run_dir / f"stage-{index + 1}-{stage.name}.unfinished.ckpt"


def run_stages(config: TrainConfig, places: Places, resume: bool) -> Path:
    """Train every stage that is not done yet and write `final.ckpt`; its path.

    A finished stage is its checkpoint; inside a stage work goes on after its last round. Either way the final weights
    are those of a run that was never interrupted (same machine, same number of threads).

    Raises:
        ConfigError: the folder holds another run, or this one unfinished and `resume` is off; shards that changed.
    """
    check_trackers(config.tracking)
    manifest_sha256 = ShardReader(places.shards_dir, "val").manifest.sha256
    _claim_run_dir(config, places.run_dir, resume)
    if not config.stages:
        start_path = places.run_dir / "off_the_shelf.ckpt"
        write_off_the_shelf(config, places.shards_dir, start_path, places.cache_dir)
        return write_final(config, [start_path], places.shards_dir, places.run_dir)
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
        progress = run_stage(config, index, progress, places)
    stage_paths = [places.stage_path(index, stage) for index, stage in enumerate(config.stages)]
    final_path = write_final(config, stage_paths, places.shards_dir, places.run_dir)
    draw_curves(places.run_dir)
    return final_path


def run_stage(config: TrainConfig, index: int, progress: Progress | None, places: Places) -> Progress:
    """Train stage `index` from what the stage before left (None: from the backbone's own weights)."""
    stage = config.stages[index]
    seed = stage_seed(config.seed, index)
    torch.manual_seed(seed)
    _say(config, index, f"{stage.image_px} px")
    data = read_training_set(places.shards_dir, stage.sources)
    validation = ShardReader(places.shards_dir, "val")
    if progress is None:
        progress = Progress(*start_embedder(config, stage, data.reader, places.cache_dir), None, ())
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

    embedder = module.embedder.cpu().eval()
    scores = dict(module.last_validation)
    if stage.start_weight > 0:
        mix_with_start(embedder, start_state, stage.start_weight)
        scores = _validate(embedder, validation, spec)
    meta = _stage_meta(config, index, data, scores)
    own_classes = (module.classifier.centres.detach().cpu(), data.class_names)
    classes = centres_so_far(own_classes, (progress.centres, progress.class_names))
    if module.teachers is not None:  # before the checkpoint, which says that the stage is done
        save_teachers(places.teachers_path(index, stage), module.teachers, data, progress.teachers_path)
    save_checkpoint(places.stage_path(index, stage), embedder, progress.head_spec, spec, classes, meta)
    places.unfinished_path(index, stage).unlink(missing_ok=True)
    _say(config, index, f"val mMP@5 {meta['val']['mMP@5']:.4f}")
    return Progress(embedder, progress.head_spec, *classes)


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
    on_gpu = next(embedder.parameters()).is_cuda
    n_workers = settle_cpus(config.n_workers, on_gpu, config.n_devices)
    features = None
    if stage.feature_cache:
        features = stage_features(stage, embedder.backbone, (data.reader, validation), spec, cache_dir, n_workers)
    before = (progress.centres, progress.class_names)
    out_dim = progress.head_spec["out_dim"]
    classifier = build_classifier(stage.classifier, data.class_names, before, out_dim, seed)
    if stage.classifier.start == "class_means":
        means_of = None if features is None else features[0]
        first_view = means_of[0] if means_of is not None and means_of.ndim == 3 else means_of
        set_to_class_means(classifier, embedder, data, spec, first_view)
    teacher = teacher_features(config, stage, data.reader, cache_dir) if stage.distillation else None
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
    print(f"stage {index + 1}/{len(config.stages)} {config.stages[index].name}: {text}", flush=True)


def _claim_run_dir(config: TrainConfig, run_dir: Path, resume: bool) -> None:
    """Create the run folder, or make sure that it holds this very run.

    A run that left no checkpoint (a wrong rule, an early kill) left nothing to lose: its folder is taken over.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return  # started by the first process, which has claimed the folder
    resolved_path = run_dir / "resolved.yaml"
    for leftover in run_dir.glob(".*.unfinished"):  # of a process that was killed
        leftover.unlink()
    if resolved_path.is_file() and any(run_dir.glob("*.ckpt")):
        if not resume:
            raise ConfigError(f"{run_dir}: holds a run already; --resume goes on with it, or choose another --run-dir")
        before = read_config(TrainConfig, resolved_path)
        if before != config:
            mine, theirs = config.model_dump(), before.model_dump()
            differing = [key for key in mine if mine[key] != theirs[key]]
            raise ConfigError(f"{run_dir}: its run was configured otherwise ({', '.join(differing)} differ); "
                              "use another --run-dir")
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "metrics.jsonl").unlink(missing_ok=True)
    write_environment(run_dir)
    write_config(config, resolved_path)


def _fit(config: TrainConfig, index: int, module: StageModule, loaders: StageData, places: Places) -> None:
    """Lightning's loop over the rounds that are left."""
    stage = config.stages[index]
    n_steps = len(loaders.plan.batches) // stage.accumulate_batches
    unfinished_path = places.unfinished_path(index, stage)
    step_reached = _global_step_of(unfinished_path)
    drop_metrics_after(places.run_dir, stage.name, step_reached)
    images_reached = step_reached * module.objective.images_per_step
    settings = json.loads(config.model_dump_json())
    open_tracker = partial(
        Tracker, config.tracking, places.run_dir, config.name, settings, stage.name, images_reached
    ) if config.tracking else None  # fmt: skip
    callbacks: list[pl.Callback] = [
        pl.callbacks.TQDMProgressBar(refresh_rate=max(1, n_steps // 100)) if is_watched() else ProgressLines(n_steps),
        MetricsLog(places.run_dir, stage.name, every_steps=max(1, n_steps // 100), open_tracker=open_tracker),
        RoundCheckpoint(unfinished_path),
    ]
    fit_module(config, stage, module, loaders, callbacks, unfinished_path if step_reached else None)


def _global_step_of(path: Path) -> int:
    """Optimizer steps behind an unfinished stage's checkpoint; 0 where there is none."""
    if not path.is_file():
        return 0
    return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"])


def mix_with_start(embedder: Embedder, start_state: dict[str, Tensor], start_weight: float) -> None:
    """Weights = start_weight * start + (1 - start_weight) * trained (WiSE-FT, arXiv 2109.01903)."""
    mixed = {
        name: torch.lerp(value, start_state[name].to(value), start_weight) if value.is_floating_point() else value
        for name, value in embedder.state_dict().items()
    }
    embedder.load_state_dict(mixed)


def _validate(embedder: Embedder, validation: ShardReader, spec: PreprocessSpec) -> dict[str, float]:
    embeddings = compute_features(embedder, validation, spec, title="validation")
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
