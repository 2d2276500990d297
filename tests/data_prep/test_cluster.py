import hashlib
import os
import signal
import threading
import time
from pathlib import Path
from unittest import mock

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from PIL import Image

from data_prep import cluster as cluster_module
from data_prep.build import build, main
from data_prep.cluster import call_with_same_encoders, run_on_cluster
from data_prep.config_files import build_config
from data_prep.errors import ConfigError, WorkerDied
from data_prep.images import encoder_versions
from data_prep.mixture import MixtureConfig
from data_prep.workers import run_tasks

# Tasks for other processes are functions of importable modules: those of a test file are not.

MIXTURE = {
    "name": "small", "seed": 1, "image_px": 48, "samples_per_shard": 1,
    "sources": [{"source": "toys", "reader": "class_folders", "domain": "toys", "split": "by_class",
                 "test_fraction": 0.2}],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def environment_put_back():
    """Dask's nanny leaves OMP_NUM_THREADS=1 in this process: a training of a later test would sum in another order."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two worker processes on this machine; a task may outlive one death of its worker."""
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), LocalCluster(**workers) as cluster:
        yield cluster


def pids(cluster):
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_results_come_in_the_order_of_the_tasks_and_each_is_told(cluster):
    told = []
    tasks = list(range(-40, 0))
    assert run_on_cluster(abs, tasks, cluster.scheduler_address, told.append) == [-task for task in tasks]
    assert sorted(told) == list(range(40))
    assert run_tasks(abs, [], cluster.scheduler_address, "nothing") == []


def test_an_error_of_a_task_comes_through(cluster):
    with pytest.raises(ValueError, match="invalid literal"):
        run_tasks(int, ["1", "x", "3"], cluster.scheduler_address, "int")


def test_a_task_that_kills_its_workers_is_an_error_that_says_what_to_do(cluster):
    with pytest.raises(WorkerDied, match="run the same command again"):
        run_tasks(os._exit, [3], cluster.scheduler_address, "exit")


def test_nobody_at_the_address(monkeypatch):
    monkeypatch.setattr(cluster_module, "WAIT_FOR_WORKERS_S", 1)
    with pytest.raises(ConfigError, match=r"--cluster tcp://127\.0\.0\.1:9: no Dask scheduler answers"):
        run_tasks(abs, [1], "tcp://127.0.0.1:9", "abs")


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster_module, "WAIT_FOR_WORKERS_S", 1)
    message = r"has no worker after 1 s; start some: dask worker inproc://"
    empty = LocalCluster(n_workers=0, processes=False, dashboard_address=":0")
    with empty, pytest.raises(ConfigError, match=message):
        run_tasks(abs, [1], empty.scheduler_address, "abs")


def test_the_last_worker_goes_and_none_comes(monkeypatch):
    monkeypatch.setattr(cluster_module, "WAIT_FOR_WORKERS_S", 1)
    with LocalCluster(n_workers=1, processes=False, threads_per_worker=1, dashboard_address=":0") as small:
        leaves = threading.Timer(1.5, small.scale, [0])
        leaves.start()
        with pytest.raises(WorkerDied, match="lost its last worker"):
            run_tasks(time.sleep, [0.5] * 60, small.scheduler_address, "naps")
        leaves.join()


def test_a_worker_with_other_encoders_writes_nothing():
    assert call_with_same_encoders(abs, -1, encoder_versions()) == 1
    with pytest.raises(ConfigError, match="install the same versions"):
        call_with_same_encoders(abs, -1, {"pillow": "1.0"})


@pytest.fixture(scope="module")
def raw_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    for n in range(160):
        path = root / "toys" / f"toy{n % 16}" / f"{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (150, 200, 3), dtype=np.uint8)).save(path, quality=90)
    return root


def contents(folder):
    """{path: sha256} of everything a build leaves, without what only a resumed build needs."""
    files = [path for path in folder.rglob("*") if path.is_file() and "build" not in path.relative_to(folder).parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["build/checked/*/*.parquet", "*/*.tar"])
def test_a_worker_killed_in_the_middle_changes_no_byte(pattern, cluster, raw_root, tmp_path):
    """The first file that appears is the sign to kill; the other worker, and the one that replaces it, go on."""
    config = build_config(MixtureConfig, MIXTURE, "test")
    build(config, raw_root, tmp_path / "local", n_workers=1)
    for attempt in range(4):  # on a quick machine the kill may come after the last shard: then once more
        shards_dir = tmp_path / f"cluster{attempt}" / "small"
        n_written = build_with_a_kill(config, raw_root, shards_dir, pattern, cluster)
        assert contents(shards_dir) == contents(tmp_path / "local" / "small")
        if n_written < 160:
            break
    assert n_written < len(list(shards_dir.glob("*/*.tar"))) == 160


def build_with_a_kill(config, raw_root, shards_dir, pattern, cluster):
    """Build on the cluster and kill one of its workers; how many shards there were then."""
    victim, killed_at = pids(cluster)[0], []

    def kill():
        deadline = time.monotonic() + 60
        while not killed_at and time.monotonic() < deadline:
            try:
                is_time = next(shards_dir.glob(pattern), None) is not None
                n_shards = len(list(shards_dir.glob("*/*.tar")))
            except FileNotFoundError:  # a folder of the build went while it was being listed
                continue
            if is_time:
                os.kill(victim, signal.SIGKILL)
                killed_at.append(n_shards)
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    build(config, raw_root, shards_dir.parent, n_workers=cluster.scheduler_address)
    killer.join()
    return killed_at[0]


def test_the_command_line_without_a_scheduler(raw_root, tmp_path, monkeypatch, capsys):
    import yaml

    monkeypatch.setattr(cluster_module, "WAIT_FOR_WORKERS_S", 1)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(MIXTURE))
    arguments = ["--raw-root", str(raw_root), "--shards-root", str(tmp_path), "--cluster", "tcp://127.0.0.1:9"]
    assert main([str(tmp_path / "small.yaml"), *arguments]) == 2
    assert "error: --cluster tcp://127.0.0.1:9: no Dask scheduler answers" in capsys.readouterr().err
    assert Path(tmp_path / "small").is_dir() and not list(tmp_path.rglob("*.tar"))
