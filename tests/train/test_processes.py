import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.data.feature_cache import compute_features
from train.data.readers import ShardReader
from train.fit import main
from train.lightning_module import validation_values
from train.processes import (
    Launch,
    any_says,
    first_does,
    first_then_others,
    hear_all,
    is_first,
    known_to_all,
    launch_of,
    n_processes,
    rows_of_all,
    shares_of,
    sizes_of,
    tell_all,
    whole_batch,
)
from train.run_log import read_metrics
from train.stages.data import items_of

ROOT = Path(__file__).parent.parent.parent
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
SLURM = {"SLURM_PROCID": "3", "SLURM_NTASKS": "16", "SLURM_NTASKS_PER_NODE": "8", "SLURM_NNODES": "2"}


def test_what_a_launcher_has_started_is_read_from_its_environment():
    assert launch_of({}) is None and launch_of({"LOCAL_RANK": "1"}) is None
    assert launch_of(TORCHRUN) == Launch(4, 2, "torchrun")
    assert launch_of(SLURM) == Launch(8, 2, "Slurm")
    assert launch_of(SLURM | TORCHRUN) == Launch(4, 2, "torchrun")  # torchrun inside a Slurm job
    assert launch_of(SLURM | {"SLURM_JOB_NAME": "bash"}) is None  # a shell on the cluster
    assert launch_of({"SLURM_PROCID": "0"}) == Launch(1, 1, "Slurm")


@pytest.mark.parametrize(("environment", "needed"), [
    ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "--ntasks-per-node"),
    (TORCHRUN | {"WORLD_SIZE": "7"}, "--nproc-per-node"),
])
def test_launches_that_cannot_work_say_the_flag(environment, needed):
    with pytest.raises(ConfigError, match=needed):
        launch_of(environment)


def test_the_launcher_s_sizes_need_no_key_and_bear_no_other():
    assert sizes_of(3, 2, None) == (3, 2)
    assert sizes_of(1, 1, Launch(4, 2, "torchrun")) == sizes_of(4, 2, Launch(4, 2, "torchrun")) == (4, 2)
    with pytest.raises(ConfigError, match=r"torchrun started 4 process\(es\) on each of 2 .*n_devices=4 n_nodes=2"):
        sizes_of(2, 1, Launch(4, 2, "torchrun"))


def test_one_process_talks_to_itself():
    rows = torch.rand(3, 2)
    assert is_first() and n_processes() == 1 and tell_all(5) == 5 and hear_all(5) == [5]
    assert any_says(True) and not any_says(False)
    assert first_does(lambda: 7) == first_then_others(lambda: 7) == 7
    assert whole_batch(rows, 3) is rows and torch.equal(rows_of_all(rows, 3), rows)
    error = ConfigError("x")
    assert known_to_all(error) is error


@pytest.mark.parametrize(("n_items", "n_shares"), [(10, 3), (9, 3), (2, 2), (7, 4), (3, 1)])
def test_shares_cover_everything_once_and_differ_by_one(n_items, n_shares):
    shares = shares_of(n_items, n_shares)
    assert np.concatenate(shares).tolist() == list(range(n_items))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1 and sizes[0] == max(sizes)


IN_EACH_OF_THREE = """
import os, torch
from torch import distributed as dist
from data_prep.errors import ConfigError, SharedError
from train.processes import *
from train.processes import any_says, first_does, first_then_others, hear_all, known_to_all, leave_processes, rank
dist.init_process_group("gloo")
me, n_total = rank(), 7
torch.manual_seed(0)
rows, weight = torch.randn(n_total, 4), torch.randn(4, 2, requires_grad=True)
def loss_of(embeddings):  # of the whole batch: every image with every other
    return (embeddings @ embeddings.T).square().sum() + embeddings.mean(0).square().sum()
(expected,) = torch.autograd.grad(loss_of(rows @ weight), weight)
own = rows[me::3] @ weight
whole = whole_batch(own, n_total)
assert torch.allclose(whole, rows @ weight, atol=1e-6)
(got,) = torch.autograd.grad(loss_of(whole), weight)
dist.all_reduce(got)
assert torch.allclose(got / 3, expected, rtol=1e-4, atol=1e-4), (got / 3, expected)
assert torch.equal(whole_batch(torch.arange(n_total)[me::3], n_total), torch.arange(n_total))
for n in (8, 9, 3, 4):
    every = torch.arange(2.0 * n).view(n, 2)
    gathered = rows_of_all(every[shares_of(n, 3)[me]], n)
    assert (gathered is None) == (me != 0)
    assert me != 0 or torch.equal(gathered, every)
assert hear_all(me) == [0, 1, 2] and tell_all(me) == 0 and any_says(me == 2) and not any_says(False)
calls = []
assert first_does(lambda: calls.append(me) or "done") == "done" and calls == ([0] if me == 0 else [])
assert first_then_others(lambda: me) == me
def fail():
    raise ConfigError("no such file")
try:
    first_does(fail)
    raise AssertionError("went on")
except ConfigError:
    assert me == 0
except SharedError as error:
    assert me != 0 and str(error) == "no such file"
assert type(known_to_all(ConfigError("x"))) is (ConfigError if me == 0 else SharedError)
# On its way while Python ends, this one aborts half of the processes whose groups are still there.
dist.all_reduce(torch.ones(5_000_000), async_op=True)
leave_processes()
assert not dist.is_initialized() and rank() == 0
threads = [open(f"/proc/self/task/{one}/comm").read() for one in os.listdir("/proc/self/task")]
assert not any("gloo" in one for one in threads), threads
"""


@pytest.mark.slow
def test_three_processes_share_odd_numbers_of_rows_and_tell_each_other():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "3",
                                "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, "-c", IN_EACH_OF_THREE], cwd=ROOT, text=True, stderr=subprocess.PIPE,
                                env=environment | {"RANK": str(number)}) for number in range(3)]
    said = [one.communicate(timeout=240)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0, 0], said


# Batches of 9 on two processes are 5 and 4 images; 19 or so val images are an odd number too. The second stage has a
# loss that compares images and a margin that keeps statistics of the batch.
ONE = {"batch_size": 9, "epochs": None, "images": 900, "rounds": 4, "augmentation": {"preset": "light"},
       "optimizer": {"kind": "sgd", "lr": 0.02}, "lr_rules": [{"match": ".*", "scale": 1.0}]}
TWO = ONE | {"name": "two", "images": 180, "rounds": 1, "classifier": {"start": "keep", "scale": 16.0},
             "margin": {"kind": "curricularface", "margin_rad": 0.2},
             "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
             "distillation": {"weight": 5.0, "kind": "mse", "temperature": 0.1}}


@pytest.fixture(scope="module")
def arguments_of(packed, tmp_path_factory):
    """(name of a run, more arguments) -> arguments of train.fit, and the run's folder."""
    root = tmp_path_factory.mktemp("processes")
    stage = {"image_px": 16, "margin": {"kind": "arcface", "margin_rad": 0.2}, "classifier": {"scale": 16.0}}
    tree = {"name": "test", "mixture": "patterns", "accelerator": "cpu", "tracking": [],
            "head": {"kind": "linear", "out_dim": 8, "init": "pca", "init_whitening": 1.0},
            "backbone": {"kind": "tiny", "arch": "conv16", "weights": None},
            "stages": [stage | ONE | {"name": "one"}, stage | TWO]}
    (root / "tiny.yaml").write_text(yaml.safe_dump(tree))

    def arguments(run, *more):
        run_dir = root / run
        return [str(root / "tiny.yaml"), "--shards", str(packed), "--run-dir", str(run_dir), *more], run_dir

    return arguments


ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # as torchrun has it: bits depend on the number of threads


def fit(arguments, launcher=("-m",)):
    done = subprocess.run([sys.executable, *launcher, "train.fit", *arguments], cwd=ROOT, env=ONE_THREAD,
                          capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def two_processes(arguments_of):
    """The folder of a run in two processes that Lightning starts, and what it said."""
    arguments, run_dir = arguments_of("two", "n_devices=2")
    return run_dir, fit(arguments)


def difference_of(run_dir, other):
    """Largest difference of a weight, and the largest weight."""
    one, two = (load_checkpoint(path / "final.ckpt") for path in (run_dir, other))
    pairs = [(one.centres, two.centres)] + [
        (value, two.embedder.state_dict()[name]) for name, value in one.embedder.state_dict().items()]
    return max(float((a - b).abs().max()) for a, b in pairs), max(float(a.abs().max()) for a, _ in pairs)


@pytest.mark.slow
def test_two_processes_train_as_one(two_processes, arguments_of):
    """The same loss at every step and the same weights, up to the order in which floats are added."""
    arguments, alone_dir = arguments_of("alone")
    assert main(arguments) == 0
    run_dir, done = two_processes
    rows, alone = read_metrics(run_dir), read_metrics(alone_dir)
    assert [(r["stage"], r["step"], r["images"], r["name"]) for r in rows] == [
        (r["stage"], r["step"], r["images"], r["name"]) for r in alone]
    assert len({(r["stage"], r["step"]) for r in rows if r["name"] == "train/loss"}) == 120
    assert max(abs(r["value"] - a["value"]) for r, a in zip(rows, alone) if r["name"].startswith("train/")) < 1e-4
    difference, largest = difference_of(run_dir, alone_dir)
    assert difference < 1e-3 * largest, (difference, largest)
    # Written and said once, by the first process.
    assert done.stdout.count("stage 1/2 one: 16 px") == done.stdout.count("wrote ") == 1
    assert not list(run_dir.glob(".*")) and not list(run_dir.glob("*.unfinished.ckpt"))


@pytest.mark.slow
def test_two_processes_validate_as_one(two_processes, packed):
    """Every image once and in its place: their scores are those of their weights over the split in one process.

    Not compared with the scores of other weights: these embeddings are so alike that the last bits decide who is near.
    """
    stored = load_checkpoint(two_processes[0] / "final.ckpt")
    reader = ShardReader(packed, "val")
    embeddings = compute_features(stored.embedder, reader, stored.preprocess)
    scores = validation_values(embeddings, items_of(reader.table))
    assert {f"val/{name}": value for name, value in stored.meta["val"].items()} == pytest.approx(scores, abs=1e-6)
    moved = validation_values(np.roll(embeddings, 1, axis=0), items_of(reader.table))
    assert moved != pytest.approx(scores, abs=1e-3)  # another order would be noticed


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on_under_torchrun_to_the_same_bits(two_processes, arguments_of):
    arguments, run_dir = arguments_of("stopped", "n_devices=2")
    process = subprocess.Popen([sys.executable, "-m", "train.fit", *arguments], cwd=ROOT, env=ONE_THREAD, text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    state_path, deadline = run_dir / "stage-1-one.unfinished.ckpt", time.monotonic() + 240
    while not state_path.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 143 and said.count("--resume") == 1 and "Traceback" not in said, said[-3000:]
    assert 25 <= torch.load(state_path, weights_only=True)["global_step"] < 100
    fit([*[one for one in arguments if one != "n_devices=2"], "--resume"],
        ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"))
    assert difference_of(run_dir, two_processes[0])[0] == 0.0
    assert read_metrics(run_dir) == read_metrics(two_processes[0])


@pytest.mark.slow
def test_weights_cut_up_over_two_processes_train_as_whole_ones(two_processes, arguments_of):
    """FSDP over gloo: the files it leaves are whole, and those of DDP up to the order of additions."""
    arguments, run_dir = arguments_of("fsdp", "n_devices=2", "strategy=fsdp")
    fit(arguments)
    difference, largest = difference_of(run_dir, two_processes[0])
    assert difference < 1e-3 * largest, (difference, largest)
