"""A stage's class centres: new, the class means of the embeddings so far, or carried over by class name.

What a stage leaves behind holds the centres of every class so far, not of its own alone: a round on one source keeps
those of the others for the stage after it (1st place trains on all data, on Products-10K, on all data again).
"""

import numpy as np
import torch
from torch import Tensor

from data_prep.errors import ConfigError
from train.config import ClassifierConfig
from train.data.feature_cache import compute_features, device_of
from train.data.preprocessing import PreprocessSpec
from train.losses.classifier import CosineClassifier
from train.model.embedder import Embedder
from train.stages.data import TrainingSet

_PART_ROWS = 2**16


def build_classifier(
    config: ClassifierConfig,
    class_names: tuple[str, ...],
    before: tuple[Tensor | None, tuple[str, ...]],
    out_dim: int,
    seed: int,
) -> CosineClassifier:
    """Centres for the stage's classes, new or kept.

    `before` is what the stages before left: centres [C, K, D] and class names.

    Raises:
        ConfigError: `keep` where there are no centres of the same width and number of sub-centres.
    """
    classifier = CosineClassifier(len(class_names), out_dim, config.n_sub_centres, generator=seed)
    if config.start == "keep":
        carry_centres(classifier, class_names, before)
    return classifier


def set_to_class_means(
    classifier: CosineClassifier, embedder: Embedder, data: TrainingSet, spec: PreprocessSpec,
    features: np.ndarray | None, n_workers: int = 0, precision: str = "32-true",
) -> None:
    """Start at the mean embedding of each class, from cached tower features [N, width] where there are any.

    `n_workers` and `precision`: of the pass over the images where there are none, as `compute_features`.
    """
    if features is None:
        made = compute_features(embedder, data.reader, spec, title="class means", n_workers=n_workers,
                                precision=precision)
        embeddings = torch.from_numpy(made)
    else:
        was_training = embedder.training
        embedder.eval()
        embeddings = _project_rows(embedder, features, torch.from_numpy(data.reader.table.sizes_px))
        embedder.train(was_training)
    classifier.set_centres_from_class_means(embeddings, torch.from_numpy(data.class_rows))


@torch.no_grad()
def _project_rows(embedder: Embedder, features: np.ndarray, sizes_px: Tensor) -> Tensor:
    """Cached features [N, width] -> embeddings [N, D] on the CPU, by parts: millions of rows fill no GPU."""
    device = device_of(embedder)
    parts = [slice(start, start + _PART_ROWS) for start in range(0, len(features), _PART_ROWS)]
    return torch.cat([
        embedder.project(torch.from_numpy(np.array(features[part])).to(device), sizes_px[part].to(device)).cpu()
        for part in parts
    ])


def carry_centres(
    classifier: CosineClassifier, class_names: tuple[str, ...], before: tuple[Tensor | None, tuple[str, ...]]
) -> None:
    """Copy the centres of the classes that a stage before had; a new class keeps its new centre."""
    centres, names_before = before
    if centres is None or centres.shape[1:] != classifier.centres.shape[1:]:
        got = None if centres is None else tuple(centres.shape[1:])
        raise ConfigError(f"classifier.start keep: centres before are {got}, this stage wants "
                          f"{tuple(classifier.centres.shape[1:])} (sub-centres, width)")
    row_before = {name: row for row, name in enumerate(names_before)}
    for row, name in enumerate(class_names):
        if name in row_before:
            classifier.centres.data[row] = centres[row_before[name]]


def centres_so_far(
    now: tuple[Tensor, tuple[str, ...]], before: tuple[Tensor | None, tuple[str, ...]]
) -> tuple[Tensor, tuple[str, ...]]:
    """A stage's own centres [C, K, D] and class names, then those of earlier classes that it did not have.

    Earlier centres of another number of sub-centres or another width are dropped: no later stage could take both.
    """
    centres, names = now
    if before[0] is None or before[0].shape[1:] != centres.shape[1:]:
        return now
    own = set(names)
    rows = [row for row, name in enumerate(before[1]) if name not in own]
    return torch.cat([centres, before[0][rows]]), (*names, *(before[1][row] for row in rows))
