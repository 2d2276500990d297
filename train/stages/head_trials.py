"""A run's first stage, the head, trained on any choice of sources: seconds each, for the tower is asked only once."""

from collections.abc import Sequence
from pathlib import Path

import torch

from data_prep.errors import ConfigError
from train.config import StageConfig, TrainConfig
from train.data.readers import ShardReader
from train.model.backbones import Backbone
from train.model.heads import set_dropout
from train.retrieval.protocol import check_items
from train.stages.data import items_of, training_set_of
from train.stages.features import stage_features
from train.stages.lightning_loop import fit_module, validate_module
from train.stages.run_folder import EXECUTION_KEYS
from train.stages.runner import Progress, assemble_stage, mix_with_start, stage_seed
from train.stages.start import preprocess_of, start_embedder, starting_backbone, to_device

# Keys that no trial's scores hang on: names, how a run is carried out, what comes after its stages.
_KEYS_OF_RUNS = (*EXECUTION_KEYS, "name", "mixture", "strategy", "export_image_px", "views", "projection", "choose")


class HeadTrials:
    """Scores of heads on the validation split of all sources, whatever they were trained on.

    Every trial shows the optimizer the same number of images: a larger choice of sources gets fewer passes, not more
    training. All look at one tower: without weights of its own it is the one that the config's seed draws.

    Args:
        config: its first stage is what is trained.
        shards_dir: the packed mixture with all candidates.
        cache_dir: where the tower's features are kept.
        n_images: of a trial; default: those of the stage as the config has it, on all sources.

    Raises:
        ConfigError: a first stage that needs its tower, an unknown tower, shards without train or val samples.
    """

    def __init__(self, config: TrainConfig, shards_dir: Path, cache_dir: Path, n_images: int | None = None) -> None:
        stage = config.stages[0]
        if not stage.feature_cache:
            raise ConfigError(f"config {config.name!r}: its first stage, {stage.name!r}, trains more than the head; "
                              "sources are chosen on cached features: feature_cache: true")
        self.config = config
        self.cache_dir = cache_dir
        self.training = ShardReader(shards_dir, "train")
        self.validation = ShardReader(shards_dir, "val")
        check_items(items_of(self.validation.table), f"{shards_dir}, split val")
        n_epoch = training_set_of(self.training).n_images_per_epoch
        self.n_images = n_images or stage.images or max(1, round(stage.epochs * n_epoch))
        self._states_after_tower: dict[int, torch.Tensor] = {}
        self.backbone = self._build_tower(config.seed)
        self.spec = preprocess_of(self.backbone, stage.image_px, config.resize)
        to_device(self.backbone, config.accelerator)
        stage_features(stage, self.backbone, (self.training, self.validation), self.spec, cache_dir)

    @property
    def sources(self) -> tuple[str, ...]:
        """Those with train samples, sorted."""
        return tuple(sorted(set(self.training.table.sources.tolist())))

    @property
    def settings(self) -> dict:
        """Plain values that decide a trial's scores, beside its sources and its seed."""
        tower_seed = self.config.seed if self.config.backbone.weights is None else 0
        config = self.config.model_copy(update={"stages": (self._stage_on(self.sources),), "seed": tower_seed})
        return {"config": config.model_dump(mode="json", exclude=set(_KEYS_OF_RUNS)),
                "manifest_sha256": self.training.manifest.sha256, "n_images_a_training": self.n_images}

    def score(self, sources: Sequence[str], run_seed: int) -> dict[str, float]:
        """Train on these sources; `mMP@5` and `R@1` as means of the domains, and `mMP@5/<domain>` of each.

        With all sources, the stage's own length and the config's seed this is the first stage of `train.fit`.
        """
        stage = self._stage_on(sources)
        config = self.config.model_copy(update={"stages": (stage,), "seed": run_seed})
        seed = self._seed_after_tower(run_seed)
        data = training_set_of(self.training.only(sources))
        embedder, head_spec = start_embedder(config, stage, data.reader, self.cache_dir, self.backbone)
        set_dropout(embedder.head, stage.head_dropout)
        start_state = {name: value.clone() for name, value in embedder.state_dict().items()}
        progress, inputs = Progress(embedder, head_spec, None, ()), (data, self.validation, self.spec)
        module, loaders = assemble_stage(config, 0, progress, inputs, self.cache_dir, seed)
        fit_module(config, stage, module, loaders)
        if stage.start_weight > 0:
            mix_with_start(module.embedder, start_state, stage.start_weight)
            validate_module(config, stage, module, loaders)
        return {name.removeprefix("val/"): float(value) for name, value in module.last_validation.items()}

    def _build_tower(self, run_seed: int) -> Backbone:
        """As a run of this seed builds it; it notes how torch's generator is left."""
        stage = self.config.stages[0]
        torch.manual_seed(stage_seed(run_seed, 0))
        backbone = starting_backbone(self.config, stage.image_px, stage.patch_stride)
        self._states_after_tower[run_seed] = torch.get_rng_state()
        return backbone

    def _seed_after_tower(self, run_seed: int) -> int:
        """The stage's seed; torch is where `train.fit` has it when the tower is built, which may draw, and not yet the
        head."""
        if run_seed not in self._states_after_tower:
            self._build_tower(run_seed)
        torch.manual_seed(seed := stage_seed(run_seed, 0))
        torch.set_rng_state(self._states_after_tower[run_seed])
        return seed

    def _stage_on(self, sources: Sequence[str]) -> StageConfig:
        """The first stage with these sources, the budget of a trial, and one validation at its end."""
        stage = self.config.stages[0]
        steps = stage.sampler.steps_by_source
        if steps is not None:
            steps = {source: steps[source] for source in sources if source in steps}
        sampler = stage.sampler.model_copy(update={"steps_by_source": steps})
        return stage.model_copy(update={"sources": tuple(sources), "epochs": None, "images": self.n_images, "rounds": 1,
                                        "sampler": sampler})
