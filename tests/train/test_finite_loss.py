from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data_prep.errors import TrainingError
from train.finite_loss import FiniteLoss
from train.lightning_module import StageModule
from train.run_log import read_metrics
from train.stages.runner import Places, run_stages

KEYS = np.array([f"k{number}" for number in range(20)])
NAN = float("nan")


def watch(losses, finite_rows, every_steps=4):
    """The callback after steps of two images each: images 0 and 1, then 2 and 3, ...; `finite_rows` by step."""
    callback = FiniteLoss("one", KEYS, every_steps, lambda: "run/x.ckpt")
    for step, loss in enumerate(losses, start=1):
        module = SimpleNamespace(finite_rows=torch.tensor(finite_rows.get(step, [True, True])))
        batch = {"indices": torch.tensor([2 * step - 2, 2 * step - 1])}
        callback.on_train_batch_end(
            SimpleNamespace(global_step=step), module, {"loss": torch.tensor(loss)}, batch, step - 1)
    return callback


def test_finite_losses_pass():
    watch([1.0] * 8, {}).check(SimpleNamespace(global_step=8))


@pytest.mark.parametrize(("losses", "finite_rows", "needed"), [
    ([1.0, NAN, NAN, NAN], {2: [True, False], 3: [False, False]},
     ["step 2:", "noticed at step 4", "1 of 2 images are not finite: k3;"]),
    ([1.0, 1.0, float("inf"), 1.0], {}, ["step 3:", "every embedding of the batch is finite", "k4, k5;"]),
    ([NAN, 1.0, 1.0, 1.0], {1: [False, False]}, ["step 1:", "no embedding of the batch is finite", "learning rate"]),
])
def test_the_first_bad_batch_is_named_with_its_images(losses, finite_rows, needed):
    with pytest.raises(TrainingError) as found:
        watch(losses, finite_rows)
    said = str(found.value)
    assert all(part in said for part in [*needed, "stage 'one'", "last good checkpoint: run/x.ckpt"]), said


def test_it_looks_only_every_so_often_and_before_a_validation():
    callback = watch([NAN], {})  # no error yet
    with pytest.raises(TrainingError, match=r"step 1: .*noticed at step 1"):
        callback.on_validation_start(SimpleNamespace(global_step=1), None)


def test_weights_that_broke_in_the_last_update_are_noticed_before_a_checkpoint():
    callback, module = watch([1.0], {}), torch.nn.Linear(2, 1)
    callback.on_validation_start(SimpleNamespace(global_step=1), module)
    module.bias.data.fill_(NAN)
    with pytest.raises(TrainingError, match=r"step 1: weights are NaN or infinite after the last update.*x\.ckpt"):
        callback.on_validation_start(SimpleNamespace(global_step=1), module)


def test_a_run_stops_with_the_image_named_and_keeps_its_last_good_state(packed, make_config, tmp_path, monkeypatch):
    """One image whose features are NaN from the second round on."""
    real, poisoned = StageModule._features_of, 11

    def features_of(self, batch):
        features = real(self, batch)
        if self.training and self.current_epoch == 1:
            features = features.masked_fill((batch["indices"] == poisoned)[:, None], NAN)
        return features

    monkeypatch.setattr(StageModule, "_features_of", features_of)
    config = make_config({"epochs": 4, "rounds": 2})
    with pytest.raises(TrainingError) as found:
        run_stages(config, Places(packed, tmp_path), resume=False)
    state_path = tmp_path / "stage-1-one.unfinished.ckpt"
    key = sorted(row["name"] for row in read_metrics(tmp_path))  # metrics up to there exist
    assert key and f"last good checkpoint: {state_path}" in str(found.value)
    assert "1 of 8 images are not finite: " in str(found.value)
    state = torch.load(state_path, weights_only=True)
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())
    monkeypatch.undo()
    run_stages(config, Places(packed, tmp_path), resume=True)  # the state is good: the run goes on from it
    assert (tmp_path / "final.ckpt").is_file()
