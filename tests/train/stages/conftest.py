"""A training that is stopped dead at a step, as a kill stops it."""

import pytest

from train.stages import runner


class CutError(Exception):
    pass


@pytest.fixture
def cut_short(monkeypatch):
    """A function that runs stages and stops dead at an optimizer step of a stage with a tower to train."""

    def run(config, places, step):
        real = runner.StageModule.training_step

        def training_step(self, batch, batch_index):
            if "pixels" in batch and self.global_step == step:
                raise CutError
            return real(self, batch, batch_index)

        with monkeypatch.context() as patched, pytest.raises(CutError):
            patched.setattr(runner.StageModule, "training_step", training_step)
            runner.run_stages(config, places, resume=False)

    return run
