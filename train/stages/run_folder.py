"""The folder of a run: what is where, whose it is, what has been found of its shards before it began."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from data_prep.build_lock import LOCK_NAME, only_build_in
from data_prep.config_files import read_config, write_config
from data_prep.errors import ConfigError
from train.config import StageConfig, TrainConfig
from train.data.damage import describe_damage, known_damage, left_out_of
from train.data.readers import ShardReader
from train.processes import first_does, is_first, n_processes
from train.retrieval.protocol import check_items
from train.run_log import note_resume, write_environment
from train.stages.data import items_of
from train.tracking import IDS_NAME

# Keys that say how a run is carried out; a run may go on with others.
EXECUTION_KEYS = ("n_workers", "n_devices", "n_nodes", "on_bad_shard", "tracking")


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes."""

    shards_dir: Path
    run_dir: Path
    features_dir: Path | None = None  # features of frozen towers, which runs may share; null: run_dir/cache
    left_out: frozenset[tuple[str, str]] = frozenset()  # damaged train samples, see ShardReader

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

    def last_good(self, config: TrainConfig, index: int) -> str:
        """Where training could go on from, in words."""
        paths = [self.unfinished_path(index, config.stages[index])]
        paths += [self.stage_path(i, config.stages[i]) for i in reversed(range(index))]
        return next((str(path) for path in paths if path.is_file()), "none yet")

    def unfinished_path(self, index: int, stage: StageConfig) -> Path:
        return self.run_dir / f"stage-{index + 1}-{stage.name}.unfinished.ckpt"


@contextmanager
def only_run_in(run_dir: Path) -> Iterator[None]:
    """Hold the run's folder until the run ends, however it ends; the lock is that of a build, `only_build_in`.

    Raises:
        ConfigError: another run that still works there has it; a file where the folder should be.
    """
    _check_no_file(run_dir)
    with ExitStack() as held:
        try:
            held.enter_context(only_build_in(run_dir))
        except ConfigError as error:
            holder = (run_dir / LOCK_NAME).read_text(encoding="utf-8").strip() or "it just started"
            raise ConfigError(f"{run_dir}: the folder is in use by another run: {holder}; wait for it, end it and go "
                              "on with --resume, or choose another --run-dir") from error
        yield


def _check_no_file(run_dir: Path) -> None:
    if run_dir.is_file():
        raise ConfigError(f"{run_dir}: a file; the run's folder is wanted, such as {run_dir.parent}")


def claim_run_dir(config: TrainConfig, run_dir: Path, resume: bool) -> None:
    """Create the run folder, or make sure that it holds this very run.

    A run that left no checkpoint (a wrong rule, an early kill) left nothing to lose: its folder is taken over.
    """
    _check_no_file(run_dir)
    resolved_path = run_dir / "resolved.yaml"
    if resolved_path.is_file() and any(run_dir.glob("*.ckpt")):
        if not resume:
            raise ConfigError(f"{run_dir}: holds a run already; --resume goes on with it, or choose another --run-dir")
        before = read_config(TrainConfig, resolved_path)
        mine, theirs = config.model_dump(), before.model_dump()
        differing = [key for key in mine if mine[key] != theirs[key] and key not in EXECUTION_KEYS]
        if differing:
            raise ConfigError(f"{run_dir}: its run was configured otherwise ({', '.join(differing)} differ); "
                              "use another --run-dir")
        for note in note_resume(run_dir, n_processes()):
            print(f"note: {note}", flush=True)
        _remove_leftovers(config, run_dir)
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(config, run_dir)
    for name in ("metrics.jsonl", "damaged.json", IDS_NAME):
        (run_dir / name).unlink(missing_ok=True)
    write_environment(run_dir, n_processes())
    write_config(config, resolved_path)


def _remove_leftovers(config: TrainConfig, run_dir: Path) -> None:
    """What a process that was killed left behind: temporary files, and the states of stages that are done."""
    leftovers = list(run_dir.glob(".*.unfinished"))
    places = Places(run_dir, run_dir)
    leftovers += [places.unfinished_path(index, stage) for index, stage in enumerate(config.stages)
                  if places.stage_path(index, stage).is_file()]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)


def check_shards(config: TrainConfig, shards_dir: Path) -> str:
    """The manifest's sha256. Raises ConfigError where the val split cannot be scored, and where the processes cannot
    share batches or validation images."""
    validation = ShardReader(shards_dir, "val")
    check_items(items_of(validation.table), f"{shards_dir}, split val")
    n = n_processes()
    if len(validation) < n:
        raise ConfigError(f"{shards_dir}: {len(validation)} val samples for {n} processes; give fewer n_devices")
    for number, stage in enumerate(config.stages):
        if stage.batch_size < n:
            raise ConfigError(f"stages.{number}.batch_size: {stage.batch_size} images for {n} processes; it counts "
                              f"those of all processes together, so give at least {n}")
    return validation.manifest.sha256


def damaged_samples(config: TrainConfig, places: Places) -> frozenset[tuple[str, str]]:
    """What the run leaves out of the train split; listed once, for this run and what goes on with it."""
    path = places.run_dir / "damaged.json"

    def listed() -> list[dict] | None:
        wanted = config.on_bad_shard == "skip" or path.is_file()
        return known_damage(places.shards_dir, path) if wanted else None

    rows = first_does(listed)
    if rows is None:
        return frozenset()
    if is_first():
        print(describe_damage(rows, path), flush=True)
    return left_out_of(rows)


def step_reached_in(path: Path) -> int:
    """Optimizer steps behind an unfinished stage's checkpoint; 0 where there is none."""
    if not path.is_file():
        return 0
    return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"])
