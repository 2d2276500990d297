"""Where independent tasks run: this process, or a pool of processes on this machine."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, forkserver
from pathlib import Path
from typing import TypeVar

from data_prep.allocator import keep_freed_pictures
from data_prep.errors import ConfigError, WorkerDied
from data_prep.progress import progress_bar

__all__ = ["WorkerDied", "prepare_for_tasks", "run_tasks", "usable_cpus", "worker_count"]

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# Imported once in the server that all workers are forked from, instead of once in each worker: seconds and memory.
# Python has every worker import the program's main module too, which is `data_prep.build` or imports it.
PRELOADED = ["data_prep.decode_check", "data_prep.shards", "cv2", "data_prep.build"]


def run_tasks(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    workers: int | str,
    title: str,
    size_of: Callable[[TaskT], int] = lambda task: 1,
    unit: str = "task",
) -> list[ResultT]:
    """`function` of each task, results in the order of the tasks, whatever the order they finish in.

    Args:
        function: importable by name; with more than one worker, tasks and results travel by pickle.
        workers: processes of this machine: 1 runs everything in this process, 0 takes one for each CPU. Or the
            address of a Dask scheduler, such as tcp://host:8786.
        title: shown before the progress bar.
        size_of: how far a finished task moves the bar, in `unit`s.

    Raises:
        ConfigError: a negative number of workers.
        WorkerDied: a worker was killed. Whatever `function` raises comes through as it is; tasks that wait
            are then not started.
    """
    with progress_bar(sum(map(size_of, tasks)), title, unit) as bar:

        def finished(position: int) -> None:
            bar.update(size_of(tasks[position]))

        if isinstance(workers, str) and tasks:
            from data_prep.cluster import run_on_cluster

            return run_on_cluster(function, tasks, workers, finished)
        n_workers = min(worker_count(workers), len(tasks)) if tasks else 1
        if n_workers > 1:
            return _run_in_pool(function, tasks, n_workers, finished)
        results = []
        for position, task in enumerate(tasks):
            results.append(function(task))
            finished(position)
        return results


def prepare_for_tasks(workers: int | str) -> None:
    """Start the server that workers are forked from: it imports what they need while this process does other things.

    `workers` as for `run_tasks`, which does the same, but has to wait then.
    """
    if isinstance(workers, int) and worker_count(workers) > 1:
        _context()


def worker_count(asked: int) -> int:
    """Processes of this machine: as many as asked for, 0 is one for each CPU.

    Raises:
        ConfigError: fewer than none.
    """
    if asked < 0:
        raise ConfigError(f"workers: {asked} given; expected a number of processes, or 0 for one on each CPU")
    return asked or usable_cpus()


def usable_cpus() -> int:
    """CPUs this process may run on: those it is bound to, or what a container's quota leaves of them."""
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(n_cpus, _quota_of(_CGROUP_QUOTA)))


def _quota_of(path: Path) -> int:
    """Whole CPUs of a control group's file, `max 100000` or `200000 100000` (microseconds used, of a period)."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return sys.maxsize
    return sys.maxsize if quota == "max" else int(quota) // int(period)


def _run_in_pool(
    function: Callable, tasks: Sequence, n_workers: int, finished: Callable[[int], object]
) -> list:
    results: list = [None] * len(tasks)
    with ProcessPoolExecutor(n_workers, mp_context=_context(), initializer=_prepare_worker) as pool:
        try:
            positions = {pool.submit(function, task): position for position, task in enumerate(tasks)}
            for future in as_completed(positions):
                results[positions[future]] = future.result()
                finished(positions[future])
        except BrokenProcessPool as error:
            raise WorkerDied(
                f"one of {n_workers} workers died (often: out of memory). Finished work is kept: "
                "run the same command again, with a smaller --workers if it dies again"
            ) from error
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):  # no waiting for half a shard that nobody wants
                for process in multiprocessing.active_children():
                    process.terminate()
            raise
    return results


def _prepare_worker() -> None:
    keep_freed_pictures()
    gc.freeze()  # what was imported stays for good: collections need not look at it
    _end_with_the_main_process()


def _end_with_the_main_process() -> None:
    """In a worker: without this it would wait for ever for tasks of a main process that was killed."""
    main_process = multiprocessing.parent_process()

    def watch() -> None:
        connection.wait([main_process.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _context() -> multiprocessing.context.BaseContext:
    """Never plain fork: Polars and torch hold threads, which a fork would leave locked."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    if threading.current_thread() is threading.main_thread():
        # Started deaf to Ctrl-C, and its workers with it: this process alone answers, not each with a traceback.
        answer = signal.signal(signal.SIGINT, signal.SIG_IGN)
        forkserver.ensure_running()
        signal.signal(signal.SIGINT, answer)
    return context
