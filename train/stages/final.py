"""The end of a run: `final.ckpt` at the export size, with its views and its projection."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import writing_atomically
from train.checkpoint import load_checkpoint, save_checkpoint
from train.config import TrainConfig
from train.data.embeddings import embed_samples
from train.data.preprocessing import PreprocessSpec, View
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.model.backbones import Backbone
from train.model.image_model import ImageModel
from train.stages.data import items_of
from train.stages.projection import fit_projection, projected
from train.stages.start import loading_processes, set_resolution, to_device


def write_final(
    config: TrainConfig, stage_paths: Sequence[Path], shards_dir: Path, run_dir: Path,
    left_out: frozenset[tuple[str, str]] = frozenset(),
) -> Path:
    """`final.ckpt` from the last stage's result, or the best on the validation classes; `left_out`: of `ShardReader`.

    Its `val` scores are those of what it holds: with all views and after the projection.

    Raises:
        ConfigError: views that the tower cannot take; a projection to more axes than the embeddings span.
    """
    chosen_path = stage_paths[-1] if config.choose == "last" else max(stage_paths, key=_validation_score)
    chosen = load_checkpoint(chosen_path)
    path = run_dir / "final.ckpt"
    spec = final_preprocess(config, chosen.preprocess)
    if spec == chosen.preprocess and config.projection is None:
        with writing_atomically(path) as unfinished_path:
            shutil.copyfile(chosen_path, unfinished_path)
        return path
    embedder, head_spec, classes = chosen.embedder, chosen.head_spec, (chosen.centres, chosen.class_names)
    set_resolution(embedder.backbone, spec.image_px, None)
    check_views(embedder.backbone, spec)
    to_device(embedder, config.accelerator)
    if config.projection is not None:
        plain = replace(spec, views=(View(),))
        reader = ShardReader(shards_dir, "train", trained_sources(config), left_out)
        fitted = fit_projection(embedder, reader, plain, config.projection, config.seed, loading_processes(config))
        embedder, head_spec = projected(embedder, head_spec, fitted, config.projection.after)
        to_device(embedder, config.accelerator)
        classes = (None, ())  # they lie in the space before the projection
    validation = ShardReader(shards_dir, "val")
    embeddings = embed_samples(ImageModel([embedder], [spec]), validation, title="validation")
    scores = stored_scores(validation_values(embeddings, items_of(validation.table)))
    save_checkpoint(path, embedder.cpu(), head_spec, spec, classes, chosen.meta | {"val": scores})
    return path


def _validation_score(path: Path) -> float:
    return load_checkpoint(path).meta["val"]["mMP@5"]  # one at a time: 13 towers at once are 33 GB


def trained_sources(config: TrainConfig) -> tuple[str, ...] | None:
    """Those that any stage trains on; None: all."""
    if not config.stages or any(stage.sources is None for stage in config.stages):
        return None
    return tuple(sorted({source for stage in config.stages for source in stage.sources}))


def final_preprocess(config: TrainConfig, of_stage: PreprocessSpec) -> PreprocessSpec:
    """Of `final.ckpt`: the export size and the views."""
    image_px = config.export_image_px or of_stage.image_px
    views = tuple(View(view.image_px, view.resize, view.crop, view.flip, view.at) for view in config.views)
    return replace(of_stage, image_px=image_px, views=views)


def check_views(backbone: Backbone, spec: PreprocessSpec) -> None:
    """Raise ConfigError for a view of another size than a transformer's own."""
    for number, view in enumerate(spec.views):
        if view.image_px not in (None, spec.image_px) and not backbone.takes_any_size:
            raise ConfigError(
                f"views.{number}.image_px: {view.image_px}, but {backbone.arch!r} has position embeddings for the "
                f"export size {spec.image_px}; expected that size: flips and crops are fine, they are resized to it"
            )


def stored_scores(scores: dict[str, float]) -> dict[str, float]:
    """Validation scores as a checkpoint keeps them."""
    return {name.removeprefix("val/"): round(float(value), 6) for name, value in scores.items()}
