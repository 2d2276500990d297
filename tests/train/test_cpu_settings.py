import os
import subprocess
import sys

import pytest
import torch

from train import cpu_settings
from train.cpu_settings import prepare_cpu, settle_cpus, share_cpus, wait_without_spinning


def test_users_own_choice_wins(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OMP_WAIT_POLICY": "ACTIVE"})
    wait_without_spinning()
    assert os.environ == {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "0"}


def test_both_settings_are_made(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    kept = []
    monkeypatch.setattr(cpu_settings, "keep_freed_memory", lambda: kept.append(True))
    prepare_cpu()
    assert kept == [True] and os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_nothing_heavy_comes_with_it():
    code = "import sys, train.cpu_settings; assert not {'torch', 'numpy', 'polars'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("n_processes", [1, 2, 3])
@pytest.mark.parametrize("n_workers", [None, 0, 1, 2, 3, 8])
@pytest.mark.parametrize("n_cpus", [1, 2, 4, 16, 96])
def test_threads_and_workers_never_outnumber_the_cpus(n_cpus, n_workers, n_processes, on_gpu):
    share = share_cpus(n_cpus, n_workers, on_gpu, n_processes)
    assert share.n_threads >= 1 and share.n_workers >= 0
    assert n_processes * (share.n_threads + share.n_workers) <= max(n_cpus, n_processes)
    assert n_workers is None or share.n_workers <= n_workers


@pytest.mark.parametrize("arguments, expected", [
    ((2, None, False), (2, 0)), ((2, 1, False), (1, 1)), ((2, 8, False), (1, 1)), ((16, None, False), (14, 2)),
    ((2, None, True), (1, 1)), ((16, None, True), (1, 15)), ((16, 8, True), (8, 8)), ((16, None, True, 2), (1, 7)),
    ((2, None, False, 2), (1, 0)),
])
def test_what_is_given_to_whom(arguments, expected):
    assert share_cpus(*arguments) == expected


def test_settling_sets_the_threads_and_says_what_it_cut(monkeypatch, capsys):
    threads = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cpu_settings, "usable_cpus", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    assert settle_cpus(8, on_gpu=False) == 1 and threads == [1]
    assert "n_workers: 1 in place of 8: 2 CPUs" in capsys.readouterr().out
    assert settle_cpus(None, on_gpu=False) == 0 and threads == [1, 2]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    settle_cpus(0, on_gpu=False)
    assert threads == [1, 2] and not capsys.readouterr().out
