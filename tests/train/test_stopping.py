import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from train.stopping import STATUS, STOP, Stopped, StopSignals, ignore_in_worker

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def own_signals():
    STOP.begin()
    yield
    STOP.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_outside_the_loop_a_signal_ends_the_work_at_once(number):
    with pytest.raises(Stopped):
        os.kill(os.getpid(), number)
    assert STOP.heard and STATUS == 143


def test_inside_the_loop_it_is_noted_and_said_once():
    STOP.waits_for_step = True
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # Slurm repeats itself
    assert STOP.heard
    with pytest.raises(Stopped):
        STOP.stop_if_heard()


def test_after_the_run_whoever_listened_before_listens_again():
    heard, before = [], signal.getsignal(signal.SIGUSR1)
    STOP.end()
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        STOP.begin()
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGUSR1)
        STOP.end()
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1] and not STOP.heard


def test_one_message_a_run_and_no_alarm_for_a_watched_process(capsys):
    first, watched, launched = StopSignals(), StopSignals(), StopSignals()
    watched.rank, watched.has_parent = 1, True
    launched.rank = 1  # by torchrun: it reads the status of each
    assert [one.leave("asked", 143, shared=True) for one in (first, watched, launched)] == [143, 0, 143]
    assert capsys.readouterr().err == "asked\n"
    assert watched.leave("error: broken", 2) == 2 and watched.leave(None, 1) == 0
    assert capsys.readouterr().err == "process 1: error: broken\n"


def test_a_signal_is_passed_on_to_the_children():
    code = ("import signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(0))\n"
            "print(flush=True)\nsignal.pause()")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child.stdout.readline()  # it listens
    STOP.children, STOP.waits_for_step = [child], True
    os.kill(os.getpid(), signal.SIGTERM)
    assert child.wait(20) == 0
    child.stdout.close()


def test_a_child_that_died_ends_the_run():
    """In a process of its own, which it ends: nobody could wait for the dead one at the next step."""
    code = ("import os, signal, subprocess, sys\nfrom train.stopping import STOP\nSTOP.begin()\n"
            "STOP.children = [subprocess.Popen([sys.executable, '-c', 'raise SystemExit(7)'])]\n"
            "STOP.children[0].wait()\nSTOP.waits_for_step = True\n"
            "os.kill(os.getpid(), signal.SIGTERM)\nprint('went on')")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert "ended with status 7" in done.stderr and "--resume" in done.stderr


def test_a_loading_process_ignores_the_signal():
    ignore_in_worker(0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert not STOP.heard
