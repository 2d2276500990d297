import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from data_prep.errors import ConfigError, TrainingError, WorkerDied
from train import faults
from train.faults import named_faults

ROOT = Path(__file__).parent.parent.parent


def named(error, n_workers=4):
    with named_faults("stages.1 (all)", (64, 2, 336), n_workers):
        raise error


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    OSError(12, "Cannot allocate memory"),
], ids=lambda error: type(error).__name__)
def test_out_of_memory_says_the_sizes_and_the_keys(error):
    with pytest.raises(TrainingError) as found:
        named(error)
    said = str(found.value)
    assert "\n" not in said
    for part in ("stages.1 (all)", "batches of 64 images of 336 px", "stages.1.batch_size=32",
                 "stages.1.accumulate_batches=4", "stages.1.precision=bf16-mixed"):
        assert part in said


def test_memory_that_really_runs_out_is_such_an_error():
    with pytest.raises(TrainingError, match="out of memory with batches of 64"), \
            named_faults("stages.0 (one)", (64, 1, 16), 0):
        torch.empty(2**58)


def test_in_several_processes_it_says_the_share_of_each(monkeypatch):
    monkeypatch.setattr(faults, "n_processes", lambda: 3)
    with pytest.raises(TrainingError, match="64 images of 336 px, 22 of them in each process"):
        named(torch.OutOfMemoryError("no"))


def test_a_dead_loading_process_is_named():
    with pytest.raises(WorkerDied, match=r"data loading process 4711 .*n_workers=2 \(it is 4\).*--resume"):
        named(RuntimeError("DataLoader worker (pid(s) 4711) exited unexpectedly"))


def test_an_error_of_a_loading_process_comes_without_its_traceback():
    caught = ConfigError("Caught ConfigError in DataLoader worker process 0.\nOriginal Traceback (most recent call "
                         "last):\n  File x\ndata_prep.errors.ConfigError: train/a.tar, sample k: damaged\n")
    with pytest.raises(ConfigError, match=r"^train/a\.tar, sample k: damaged$"):
        named(caught)


def test_a_process_that_is_gone_is_said_and_other_errors_stay(monkeypatch):
    error = RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:5000")
    with pytest.raises(RuntimeError, match="gloo"):
        named(error)
    monkeypatch.setattr(faults, "n_processes", lambda: 2)
    with pytest.raises(TrainingError, match="another training process is gone"):
        named(error)
    for other in (RuntimeError("shape mismatch"), ConfigError("x: wrong"), OSError(28, "No space left on device")):
        with pytest.raises(type(other)) as found:
            named(other)
        assert found.value is other


@pytest.mark.slow
def test_a_killed_loading_process_ends_the_run_with_its_name(packed, make_config, tmp_path):
    """Real processes: the one that is to load the third batch kills itself. No hang, one error, status 1."""
    config = make_config({}, n_workers=1)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    # The fork server imports this module in each loading process.
    (tmp_path / "killing_batches.py").write_text(
        "import os, signal\nfrom train.data.datasets import PlannedBatches\n\n\nclass KillingBatches(PlannedBatches):\n"
        "    def __getitem__(self, step):\n        if step == 2:\n            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().__getitem__(step)\n")
    code = ("import sys\nimport train.stages.data as data\nfrom killing_batches import KillingBatches\n"
            "data.PlannedBatches = KillingBatches\nfrom train.fit import main\n"
            f"sys.exit(main([{str(tmp_path / 'tiny.yaml')!r}, '--shards', {str(packed)!r}, '--run-dir', "
            f"{str(tmp_path / 'run')!r}]))")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == 1, done.stderr[-2000:]
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1
    error = done.stderr[done.stderr.index("error:"):]
    assert "data loading process" in error and "n_workers=0 (it is 1)" in error and "--resume" in error
