import os
import subprocess
import sys

from train import cpu_settings
from train.cpu_settings import prepare_cpu, wait_without_spinning


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
