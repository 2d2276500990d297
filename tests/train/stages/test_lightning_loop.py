import tracemalloc

import pytorch_lightning as pl
import torch

from train.callbacks import write_state
from train.data.feature_cache import cached_features
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.stages.data import items_of, training_set_of
from train.stages.lightning_loop import fit_module, validate_module
from train.stages.runner import Progress, assemble_stage
from train.stages.start import preprocess_of, start_embedder

HEAD = {"name": "head", "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
        "feature_cache": True, "epochs": 2, "ema_decay": 0.5}


def assembled(packed, tmp_path, config):
    stage = config.stages[0]
    data, validation = training_set_of(ShardReader(packed, "train")), ShardReader(packed, "val")
    torch.manual_seed(0)
    embedder, head_spec = start_embedder(config, stage, data.reader, tmp_path)
    spec = preprocess_of(embedder.backbone, 16, config.resize)
    inputs = (data, validation, spec)
    return assemble_stage(config, 0, Progress(embedder, head_spec, None, ()), inputs, tmp_path, 5), validation, spec


def test_fit_trains_the_head_alone_and_scores_what_it_left(packed, tmp_path, make_config):
    config = make_config(HEAD)
    (module, loaders), validation, spec = assembled(packed, tmp_path, config)
    before = {name: value.clone() for name, value in module.embedder.state_dict().items()}
    fit_module(config, config.stages[0], module, loaders)
    changed = {name for name, value in module.embedder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("head.") for name in changed)
    features = torch.from_numpy(cached_features(module.embedder.backbone, validation, spec, tmp_path).copy())
    with torch.no_grad():
        expected = validation_values(module.embedder.project(features).numpy(), items_of(validation.table))
    assert module.last_validation == expected


def test_validate_scores_the_module_as_it_is(packed, tmp_path, make_config):
    config = make_config(HEAD)
    (module, loaders), _, _ = assembled(packed, tmp_path, config)
    validate_module(config, config.stages[0], module, loaders)
    first = dict(module.last_validation)
    for parameter in module.embedder.head.parameters():
        parameter.data.normal_()
    validate_module(config, config.stages[0], module, loaders)
    assert module.last_validation.keys() == first.keys() and module.last_validation != first


class MeasuredState(pl.Callback):
    """Writes a state at the end of each round; how far Python's own memory rose for it, in bytes."""

    def __init__(self, path):
        self.path = path

    def on_train_epoch_end(self, trainer, pl_module):
        tracemalloc.start()
        write_state(trainer, self.path)
        self.risen_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def test_a_state_is_written_without_a_second_copy_in_memory(packed, tmp_path, make_config):
    config = make_config({**HEAD, "epochs": 1, "ema_decay": None})
    (module, loaders), _, _ = assembled(packed, tmp_path, config)
    module.register_buffer("large", torch.ones(8_000_000))
    measured = MeasuredState(tmp_path / "stage.state")
    fit_module(config, config.stages[0], module, loaders, [measured])
    assert torch.equal(torch.load(measured.path, weights_only=True)["state_dict"]["large"], module.large)
    assert measured.risen_bytes < 4_000_000  # Lightning's own way: 32 MB and more
