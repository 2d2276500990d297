import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep import workers
from data_prep.errors import ConfigError
from data_prep.workers import WorkerDied, _quota_of, prepare_for_tasks, run_tasks, usable_cpus, worker_count

REPOSITORY = Path(__file__).parents[2]

# Tasks for other processes are functions of importable modules: those of a test file are not.


@pytest.mark.parametrize("n_workers", [1, 2, 0])
def test_results_come_in_the_order_of_the_tasks(n_workers):
    assert run_tasks(abs, [-3, 2, -1], n_workers, "abs") == [3, 2, 1]


def test_a_slow_first_task_is_still_the_first_result():
    n = 3_000_000
    assert run_tasks(sum, [range(n), range(2)], 2, "sums") == [n * (n - 1) // 2, 1]


def test_no_tasks_no_results():
    assert run_tasks(abs, [], 4, "nothing") == []


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_of_a_task_comes_through(n_workers):
    with pytest.raises(ValueError, match="invalid literal"):
        run_tasks(int, ["1", "x", "3"], n_workers, "int")


def test_workers_need_not_import_what_a_build_needs():
    is_there = [f"'{module}' in __import__('sys').modules" for module in workers.PRELOADED]
    assert all(run_tasks(eval, is_there, 2, "look"))


@pytest.mark.parametrize(("n_workers", "n_started"), [(1, 0), (2, 1), ("tcp://localhost:8786", 0)])
def test_the_server_of_workers_is_started_ahead_where_there_will_be_one(n_workers, n_started, monkeypatch):
    started = []
    monkeypatch.setattr(workers, "_context", lambda: started.append(n_workers))
    prepare_for_tasks(n_workers)
    assert len(started) == n_started


def test_zero_workers_are_one_for_each_cpu_and_fewer_than_none_an_error():
    assert worker_count(3) == 3 and worker_count(0) == usable_cpus()
    for use in (worker_count, prepare_for_tasks, lambda n: run_tasks(abs, [-3], n, "abs")):
        with pytest.raises(ConfigError, match=r"workers: -1 given; expected .* 0 for one on each CPU"):
            use(-1)


def test_a_dead_worker_is_an_error_that_says_what_to_do():
    with pytest.raises(WorkerDied, match="run the same command again"):
        run_tasks(os._exit, [3, 3], 2, "exit")


def test_workers_do_not_outlive_a_main_process_that_was_killed():
    code = "import time; from data_prep.workers import run_tasks; run_tasks(time.sleep, [600.0] * 4, 2, 'naps')"
    main_process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, start_new_session=True)
    try:
        assert wait_until(lambda: len(session_of(main_process.pid)) >= 4)  # it, the server of forks, two workers
        main_process.kill()
        main_process.wait()
        assert wait_until(lambda: not session_of(main_process.pid))
    finally:
        for pid in session_of(main_process.pid):
            os.kill(pid, signal.SIGKILL)


def wait_until(is_so, deadline_s=60):
    end = time.monotonic() + deadline_s
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def session_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "-s", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def test_the_bar_counts_units_not_tasks(capsys):
    run_tasks(len, ["aaa", "bb"], 1, "letters", size_of=len, unit="letter")
    assert "5/5" in capsys.readouterr().err


def test_at_least_one_cpu():
    assert usable_cpus() >= 1


@pytest.mark.parametrize("content, n_cpus", [
    ("max 100000\n", sys.maxsize), ("200000 100000\n", 2), ("150000 100000\n", 1), ("50000 100000", 0),
    ("", sys.maxsize),
])
def test_the_quota_of_a_container_in_whole_cpus(content, n_cpus, tmp_path):
    path = tmp_path / "cpu.max"
    path.write_text(content)
    assert _quota_of(path) == n_cpus
    assert _quota_of(tmp_path / "absent") == sys.maxsize
