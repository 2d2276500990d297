"""What a stage trains on: its samples, its class rows and the plan of its batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from train.config import StageConfig
from train.data.augmentation import build_augmentation
from train.data.batch_loader import batch_loader
from train.data.datasets import OrderedBatches, PlannedBatches, PlannedFeatures, draw_views
from train.data.loss_sampler import plan_round, steps_by_loss
from train.data.preprocessing import PreprocessSpec
from train.data.readers import SampleTable, ShardReader
from train.data.samplers import plan_batches, repeat_to_floor
from train.processes import shares_of
from train.retrieval.protocol import EvaluationItems

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class TrainingSet:
    """The training samples of a stage.

    Attributes:
        reader: all train samples of the stage's sources.
        class_names: `source/class_key` of each classifier row, sorted: row c is class_names[c].
        class_rows: int64 [N], the row of each sample.
        pool_by_source: which samples one pass over a source shows, rare classes repeated up to the mixture's floor.
    """

    reader: ShardReader
    class_names: tuple[str, ...]
    class_rows: np.ndarray
    pool_by_source: dict[str, np.ndarray]

    @property
    def source_rows(self) -> np.ndarray:
        """int64 [N]: the place of each sample's source in `pool_by_source`."""
        return np.searchsorted(list(self.pool_by_source), self.reader.table.sources)

    @property
    def n_images_per_epoch(self) -> int:
        return sum(len(pool) for pool in self.pool_by_source.values())

    def class_domains(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Domain names, sorted, and for each classifier row the number of its domain: int64 [C]."""
        domain_by_class = dict(zip(self.reader.table.class_names, self.reader.table.domains))
        names, rows = np.unique([domain_by_class[name] for name in self.class_names], return_inverse=True)
        return tuple(names.tolist()), rows.astype(np.int64)


@dataclass(frozen=True)
class StagePlan:
    """Which samples make up each batch: int64 [n_steps * accumulate, batch], cut into rounds at `round_starts`.

    For sampler `by_loss` only its size and rounds count; `StageData` fills each round when it begins.
    """

    batches: np.ndarray
    round_starts: tuple[int, ...]

    def round_rows(self, number: int) -> tuple[int, int]:
        """First batch and end batch of a round."""
        ends = (*self.round_starts[1:], len(self.batches))
        return self.round_starts[number], ends[number]


def read_training_set(
    shards_dir: Path, sources: tuple[str, ...] | None, left_out: frozenset[tuple[str, str]] = frozenset()
) -> TrainingSet:
    """Raises ConfigError where the mixture lacks a source or has no train samples; `left_out` as of `ShardReader`."""
    return training_set_of(ShardReader(shards_dir, "train", sources, left_out))


def training_set_of(reader: ShardReader) -> TrainingSet:
    """All samples of a reader of train samples."""
    class_names, class_rows = np.unique(reader.table.class_names, return_inverse=True)
    pools = {}
    for source in sorted(set(reader.table.sources)):
        own = np.flatnonzero(reader.table.sources == source)
        floor = reader.manifest.repeat_to_by_source.get(source)
        pools[source] = own[repeat_to_floor(class_rows[own], floor)] if floor else own
    return TrainingSet(reader, tuple(class_names.tolist()), class_rows.astype(np.int64), pools)


def plan_stage(data: TrainingSet, stage: StageConfig, seed: int) -> StagePlan:
    """The whole stage's batches, a pure function of its arguments: resuming is starting at row k."""
    n_images = stage.images if stage.images is not None else stage.epochs * data.n_images_per_epoch
    n_steps = max(1, round(n_images / (stage.batch_size * stage.accumulate_batches)))
    planned = plan_batches(
        "round_robin" if stage.sampler.kind == "by_loss" else stage.sampler.kind,
        data.pool_by_source,
        batch_size=stage.batch_size,
        n_steps=n_steps * stage.accumulate_batches,
        seed=seed,
        steps_by_source=stage.sampler.steps_by_source,
        images_per_class=stage.sampler.images_per_class,
        class_ids=data.class_rows if stage.sampler.images_per_class else None,
    )
    n_rounds = min(stage.rounds, n_steps)
    starts = tuple(round(n_steps * number / n_rounds) * stage.accumulate_batches for number in range(n_rounds))
    return StagePlan(planned.batches, starts)


def items_of(table: SampleTable) -> EvaluationItems:
    """The retrieval view of a split's samples: domain, accepted classes, role."""
    return EvaluationItems(
        domains=table.domains, class_keys=list(table.accepted), roles=table.roles, ids=table.keys
    )


class _StepsFrom:
    """The steps of a round from `first` on; its length is the whole round's, in which Lightning counts them."""

    def __init__(self, first: int, n_steps: int) -> None:
        self.first, self.n_steps = first, n_steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.n_steps))

    def __len__(self) -> int:
        return self.n_steps


class StageData(pl.LightningDataModule):
    """Loaders of one stage. A Lightning epoch is one round of the plan; a state written inside a round says how many of
    its batches are done (`batches_done`), and the round goes on there.

    Args:
        data: training samples.
        plan: batches of the whole stage.
        stage: for augmentation.
        validation: the validation samples and their preprocessing.
        loading: (seed of the stage, data loading processes).
        features: for a stage on cached features: float32 [N, width] of the training samples, or [n_views, N, width],
            and [M, width] of the validation samples; else None.
    """

    def __init__(
        self, data: TrainingSet, plan: StagePlan, stage: StageConfig, validation: tuple[ShardReader, PreprocessSpec],
        loading: tuple[int, int], features: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        super().__init__()
        self.training = data
        self.plan = plan
        self.stage = stage
        self.validation = validation
        self.seed, self.n_workers = loading
        self.features = features
        self.batches_done = 0
        self._goes_on_at = (0, 0)  # (round, batches of it that are done)

    def state_dict(self) -> dict[str, int]:
        """Part of every state that Lightning writes."""
        return {"round": self.trainer.current_epoch, "batches_done": self.batches_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._goes_on_at = (state["round"], state["batches_done"])

    def train_dataloader(self) -> DataLoader:
        first, end = self.plan.round_rows(self.trainer.current_epoch)
        # Each process takes its own columns of every batch: `batch_size` counts all devices together.
        by_loss = self.stage.sampler.kind == "by_loss"
        batches = self._batches_by_loss() if by_loss else self.plan.batches[first:end]
        share = (self.trainer.global_rank, self.trainer.world_size)
        round_now, done = self._goes_on_at
        steps = _StepsFrom(done if round_now == self.trainer.current_epoch else 0, len(batches))
        self.batches_done = 0
        if self.features is not None:
            own, table = slice(share[0], None, share[1]), self.training.reader.table
            n_views = len(self.features[0]) if self.features[0].ndim == 3 else 0
            views = draw_views(n_views, batches.shape, first, self.seed)[:, own] if n_views else None
            return batch_loader(PlannedFeatures(self.features[0], batches[:, own], table, views), 0, steps)
        augment = build_augmentation(
            self.stage.augmentation.preset, self.stage.image_px, self.stage.augmentation.min_crop_scale,
            self.stage.augmentation.horizontal_flip,
        )
        return self._loader(PlannedBatches(self.training.reader, batches, first, augment, self.seed, share), steps)

    def _batches_by_loss(self) -> np.ndarray:
        """The round that begins, from the losses that the module noted in those before."""
        number, sampler = self.trainer.current_epoch, self.stage.sampler
        n_batches = np.diff([*self.plan.round_starts, len(self.plan.batches)])[: number + 1].tolist()
        steps = steps_by_loss(self.trainer.lightning_module.source_losses(), n_batches)
        grouped = sampler.images_per_class is not None
        return plan_round(
            self.training.pool_by_source, steps, self.stage.batch_size, self.seed,
            self.training.class_rows if grouped else None, sampler.images_per_class or 1,
        )

    def val_dataloader(self) -> DataLoader:
        """Each process embeds its own stretch of the images, once each; `StageModule` puts them together."""
        reader, spec = self.validation
        own = shares_of(len(reader), self.trainer.world_size)[self.trainer.global_rank]
        if self.features is not None:
            rows = np.array_split(own, range(_VALIDATION_BATCH, len(own), _VALIDATION_BATCH))
            return batch_loader(PlannedFeatures(self.features[1], rows, reader.table), 0)
        part = reader if len(own) == len(reader) else reader.subset(own)
        return self._loader(OrderedBatches(part, spec, _VALIDATION_BATCH))

    def _loader(self, batches: Dataset, steps: _StepsFrom | None = None) -> DataLoader:
        pin_memory = self.trainer.strategy.root_device.type == "cuda"
        return batch_loader(batches, self.n_workers, steps, pin_memory)
