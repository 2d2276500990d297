"""The same tasks on a Dask cluster.

Workers need this package at the same version beside theirs (the same checkout as their working folder, or on their
PYTHONPATH), the raw data and the build folder under the same paths, and one thread each:
`dask worker tcp://host:8786 --nworkers 16 --nthreads 1`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from data_prep.errors import ConfigError, WorkerDied
from data_prep.images import encoder_versions

if TYPE_CHECKING:
    from distributed import Client, Future

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

WAIT_FOR_WORKERS_S = 60  # at the start, and again whenever the last worker has gone
TASKS_PER_THREAD = 3  # sent ahead: enough that no worker waits, few enough that the scheduler stays small


def run_on_cluster(
    function: Callable[[TaskT], ResultT],
    tasks: Sequence[TaskT],
    address: str,
    finished: Callable[[int], object],
) -> list[ResultT]:
    """`function` of each task, results in the order of the tasks.

    A task whose worker died is given to another one by Dask, up to `distributed.scheduler.allowed-failures` times (3
    unless the scheduler was told otherwise).

    Args:
        address: of the scheduler, such as tcp://host:8786.
        finished: told the position of every task that ended, as it ends.

    Raises:
        ConfigError: nobody answers there, or a worker has other encoders than this process.
        WorkerDied: a task outlived no worker, or no worker is left.
    """
    client = _connect(address)
    try:
        results: list = [None] * len(tasks)
        for position, result in _results(client, function, tasks):
            results[position] = result
            finished(position)
        return results
    finally:
        client.close()  # tasks that nobody waits for are dropped


def call_with_same_encoders(function: Callable[[TaskT], ResultT], task: TaskT, versions: dict[str, str]) -> ResultT:
    """Runs on a worker: refuse to write bytes that another machine would write otherwise."""
    if encoder_versions() != versions:
        raise ConfigError(f"a worker has {encoder_versions()}, the build {versions}: install the same versions")
    return function(task)


def _connect(address: str) -> "Client":
    from distributed import Client

    try:
        client = Client(address, timeout=WAIT_FOR_WORKERS_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--cluster {address}: no Dask scheduler answers: {error}") from error
    try:
        client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
    except TimeoutError:
        client.close()
        raise ConfigError(
            f"--cluster {address}: the scheduler has no worker after {WAIT_FOR_WORKERS_S} s; start some: dask worker "
            f"{address} --nthreads 1"
        ) from None
    return client


def _results(client: "Client", function: Callable, tasks: Sequence) -> Iterator[tuple[int, object]]:
    """(position, result) as they come; a few tasks for each thread are on their way at any time."""
    from distributed import wait

    versions = encoder_versions()
    waiting = iter(enumerate(tasks))
    running: dict[Future, int] = {}
    is_exhausted = False
    while running or not is_exhausted:
        room = TASKS_PER_THREAD * max(1, sum(client.nthreads().values())) - len(running)
        for _ in range(room):
            position, task = next(waiting, (None, None))
            if position is None:
                is_exhausted = True
                break
            running[client.submit(call_with_same_encoders, function, task, versions, pure=False)] = position
        if not running:
            break
        try:
            with client.as_current():
                done = wait(list(running), timeout=WAIT_FOR_WORKERS_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:  # a long task, or nobody there to work on it
            _require_workers(client)
            continue
        for future in done:
            yield running.pop(future), _result_of(future)


def _result_of(future: "Future") -> object:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise WorkerDied(
            f"several workers of the cluster died on the same task (often: out of memory): {error}. Finished work is "
            "kept: run the same command again"
        ) from error


def _require_workers(client: "Client") -> None:
    if not client.nthreads():
        raise WorkerDied(
            "the cluster has lost its last worker and no new one came. Finished work is kept: start workers, run the "
            "same command again"
        )
