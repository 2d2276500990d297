"""The same numbers as `metrics.jsonl`, sent to the trackers people already use: TensorBoard, W&B, MLflow."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data_prep.errors import ConfigError
from data_prep.files import writing_atomically
from train.run_log import read_metrics

KINDS = ("tensorboard", "wandb", "mlflow")
PROJECT = "universal-embedding"
IDS_NAME = "tracking.json"


class Tracker:
    """Numbers of one stage, on an axis of images that goes on from stage to stage.

    Open it in the process that writes, once a stage; what an interrupted attempt wrote beyond its last checkpoint is
    dropped by TensorBoard, and written again beside it by the others.

    Args:
        kinds: of `KINDS`; none is allowed.
        run_dir: TensorBoard's files land in `run_dir/tensorboard`; W&B's and MLflow's where their own settings say
            (WANDB_MODE, MLFLOW_TRACKING_URI ...), MLflow's in `run_dir/mlflow.db` without one.
        run_name: the run's name there.
        settings: the resolved config, shown beside the run.
        stage: name of the stage.
        images_reached: images of this stage that are behind its last checkpoint.
    """

    def __init__(
        self, kinds: Sequence[str], run_dir: Path, run_name: str, settings: Mapping[str, Any], stage: str,
        images_reached: int,
    ) -> None:  # fmt: skip
        self.images_before = images_before(run_dir, stage)
        reached = self.images_before + images_reached
        self.loggers = [_open(kind, Path(run_dir), run_name, reached) for kind in kinds]
        for logger in self.loggers:
            if self.images_before == 0 and images_reached == 0:
                logger.log_hyperparams(dict(settings))

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Values after so many images of the stage."""
        for logger in self.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, self.images_before + images)

    def close(self, status: str) -> None:
        """Write out what is held back. `status`: success or failed."""
        for logger in self.loggers:
            logger.finalize(status)


def images_before(run_dir: Path, stage: str) -> int:
    """Images of all stages that stand before this one in `metrics.jsonl`."""
    by_stage: dict[str, int] = {}
    for row in read_metrics(run_dir):
        if row["stage"] == stage:
            break
        by_stage[row["stage"]] = max(row["images"], by_stage.get(row["stage"], 0))
    return sum(by_stage.values())


def check_trackers(kinds: Sequence[str]) -> None:
    """Refuse a tracker that cannot be used here, before any work.

    Raises:
        ConfigError: its package is not installed.
    """
    for kind in kinds:
        if find_spec(kind) is None:
            raise ConfigError(
                f"tracking: {kind} is not installed; pip install {kind}, or take it out (known: {', '.join(KINDS)})"
            )


def _open(kind: str, run_dir: Path, run_name: str, images_reached: int) -> Any:
    from pytorch_lightning import loggers

    if kind == "tensorboard":
        return loggers.TensorBoardLogger(run_dir, name="", version="tensorboard", purge_step=images_reached + 1)
    known_id = _known_ids(run_dir).get(kind)
    if kind == "wandb":
        logger = loggers.WandbLogger(
            project=PROJECT, name=run_name, save_dir=run_dir, id=known_id or uuid.uuid4().hex[:12], resume="allow"
        )
        own_id = logger.experiment.id
    else:
        uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{run_dir.resolve() / 'mlflow.db'}")
        logger = loggers.MLFlowLogger(PROJECT, run_name=run_name, tracking_uri=uri, run_id=known_id)
        own_id = logger.run_id
    if own_id != known_id:
        with writing_atomically(run_dir / IDS_NAME) as unfinished_path:
            unfinished_path.write_text(json.dumps(_known_ids(run_dir) | {kind: own_id}) + "\n", encoding="utf-8")
    return logger


def _known_ids(run_dir: Path) -> dict[str, str]:
    """By kind: the run there that belongs to this folder; all stages, and a resumed run, go on in it."""
    path = run_dir / IDS_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
