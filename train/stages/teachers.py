"""A stage's domain teachers: new, or carried over by domain and class name from the last stage that had some.

They live in a file of their own beside the stage's checkpoint: a later stage goes on with them, the exported embedder
knows nothing of them.
"""

from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ConfigError
from train.checkpoint import write_content
from train.config import StageConfig
from train.losses.domain_teachers import DomainTeachers
from train.stages.centres import carry_centres, centres_so_far
from train.stages.data import TrainingSet


def build_teachers(stage: StageConfig, data: TrainingSet, width: int, before: Path | None, seed: int) -> DomainTeachers:
    """The teachers that `stage.domain_teachers` asks for, on tower features of `width` numbers.

    `before` is what `save_teachers` wrote for an earlier stage. A domain or class that it lacks starts anew.

    Raises:
        ConfigError: no file at `before`, or one of other sizes.
    """
    config = stage.domain_teachers
    domain_names, domain_of_class = data.class_domains()
    teachers = DomainTeachers(
        torch.from_numpy(domain_of_class), width, config.dim, stage.classifier.scale, config.temperature, seed + 1)
    if before is not None:
        _carry(teachers, domain_names, data.class_names, before)
    return teachers


def save_teachers(path: Path, teachers: DomainTeachers, data: TrainingSet, before: Path | None) -> None:
    """Write atomically the teachers of every domain and class so far: this stage's, then earlier ones that it lacks."""
    domain_names, _ = data.class_domains()
    layers = (_layers(teachers), domain_names)
    classes = (teachers.classifier.centres.detach().cpu(), data.class_names)
    if before is not None:
        layers_before, classes_before = _read(before)
        layers, classes = centres_so_far(layers, layers_before), centres_so_far(classes, classes_before)
    content = {"layers": layers[0], "domains": list(layers[1]), "centres": classes[0], "class_names": list(classes[1])}
    write_content(path, content)


def _layers(teachers: DomainTeachers) -> Tensor:
    """Each teacher's linear layer, the bias as its last column: [n_domains, dim, width + 1]."""
    layer = teachers.projection
    return torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().cpu().unflatten(0, (-1, teachers.dim))


def _carry(teachers: DomainTeachers, domain_names: tuple[str, ...], class_names: tuple[str, ...], path: Path) -> None:
    (layers, domains), classes = _read(path)
    now = _layers(teachers)
    if layers.shape[1:] != now.shape[1:]:
        raise ConfigError(f"{path}: teachers before are {tuple(layers.shape[1:])}, this stage wants "
                          f"{tuple(now.shape[1:])} (dim, tower width + 1)")
    row_before = {name: row for row, name in enumerate(domains)}
    for row, name in enumerate(domain_names):
        if name in row_before:
            now[row] = layers[row_before[name]]
    rows = now.flatten(0, 1)
    teachers.projection.weight.data, teachers.projection.bias.data = rows[:, :-1].contiguous(), rows[:, -1].clone()
    carry_centres(teachers.classifier, class_names, classes)


def _read(path: Path) -> tuple[tuple[Tensor, tuple[str, ...]], tuple[Tensor, tuple[str, ...]]]:
    """(layers, domains), (centres, class names)."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; it holds the domain teachers of a stage that is done. Remove that "
                          "stage's checkpoint to train it again")
    content = torch.load(path, map_location="cpu", weights_only=True)
    return (content["layers"], tuple(content["domains"])), (content["centres"], tuple(content["class_names"]))
