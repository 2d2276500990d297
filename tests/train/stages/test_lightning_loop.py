import tracemalloc

import pytest
import pytorch_lightning as pl
import torch

from train.callbacks import MetricsLog, RoundCheckpoint, write_state
from train.data.feature_cache import cached_features
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.run_log import read_metrics
from train.stages.data import items_of, training_set_of
from train.stages.lightning_loop import fit_module, moving_average, validate_module
from train.stages.runner import Progress, assemble_stage
from train.stages.start import preprocess_of, start_embedder

HEAD = {"name": "head", "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
        "feature_cache": True, "epochs": 2, "ema_decay": 0.9}


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


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_run_stopped_after_its_last_round_ends_as_if_it_had_not_been(packed, tmp_path, make_config, ema_decay):
    config = make_config({**HEAD, "rounds": 2, "ema_decay": ema_decay})
    state_path, ends = tmp_path / "stage.state", []
    for resume_from in (None, state_path):
        (module, loaders), _, _ = assembled(packed, tmp_path, config)
        callbacks = [MetricsLog(tmp_path, "head", 1), RoundCheckpoint(state_path)]
        fit_module(config, config.stages[0], module, loaders, callbacks, resume_from)
        ends.append((module.state_dict(), module.last_validation, read_metrics(tmp_path)))
    (weights, score, rows), (weights_then, score_then, rows_then) = ends
    assert all(torch.equal(value, weights_then[name]) for name, value in weights.items())
    assert score_then == score and rows_then == rows


@pytest.mark.parametrize("decay", [0.1, 0.9, 0.999, 0.9999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_average_of_one_value_is_that_value_to_the_bit(decay, dtype):
    weights = torch.cat([torch.randn(1000), torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-40])]).to(dtype)
    average = moving_average(decay)(weights, weights.clone(), 1)
    bits = torch.int32 if dtype is torch.float32 else torch.int16
    assert average.dtype == dtype and torch.equal(average.view(bits), weights.view(bits))


def test_an_average_moves_by_the_formula_and_takes_whole_numbers_as_they_are():
    was, now = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2.0, 2.0, 3.0])
    assert torch.allclose(moving_average(0.9)(was, now, 1), torch.tensor([1.1, -1.6, 3.0]))
    count = torch.tensor(2**24 + 1)  # no float32
    assert torch.equal(moving_average(0.9)(torch.tensor(5), count, 1), count)
    assert moving_average(0.9)(torch.tensor(False), torch.tensor(True), 1).item() is True


def test_what_sam_logs_and_notes_is_the_first_pass_alone(packed, tmp_path, make_config, monkeypatch):
    config = make_config({**HEAD, "optimizer": {"kind": "sam", "lr": 0.01, "rho": 0.5}, "ema_decay": None,
                          "rounds": 2, "sampler": {"kind": "by_loss"}})
    (module, loaders), _, _ = assembled(packed, tmp_path, config)
    passes, real = [], module.training_step
    monkeypatch.setattr(module, "training_step", lambda *batch: passes.append(real(*batch)) or passes[-1])
    fit_module(config, config.stages[0], module, loaders, [MetricsLog(tmp_path, "head", 1)])
    logged = [row["value"] for row in read_metrics(tmp_path) if row["name"] == "train/loss"]
    n_steps = len(loaders.plan.batches)
    assert len(passes) == 2 * n_steps and logged == [round(one.item(), 6) for one in passes[::2]]
    assert module.source_batches.sum() == n_steps
    assert torch.allclose(module.source_loss_sums.sum(), torch.stack(passes[::2]).sum())


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
