"""How the CPUs are shared out, how memory is kept and how threads wait: much of the speed on a CPU."""

import os
from typing import NamedTuple

from data_prep.allocator import keep_freed_memory
from data_prep.workers import usable_cpus

# One process decodes and augments for so many that train: a picture of 256 px takes about 0.6 ms of one CPU, a small
# tower's step about 5 ms of eight.
CPUS_PER_WORKER = 8


class CpuShare(NamedTuple):
    """Threads of the training process and processes that load data; together no more than there are CPUs."""

    n_threads: int
    n_workers: int


def prepare_cpu() -> None:
    """Settings for a process that works with torch; before torch is imported. They change speed, and no result."""
    keep_freed_memory()
    wait_without_spinning()


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep instead of spinning, unless the user chose otherwise.

    Spinning threads of two processes on the same cores starve each other: 12 against 156 images/s, measured with two
    trainings on two cores. Only works before torch loads its OpenMP library.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def share_cpus(n_cpus: int, n_workers: int | None, on_gpu: bool, n_processes: int = 1) -> CpuShare:
    """Threads and loading processes of each of `n_processes` trainings on a machine with `n_cpus`.

    On a GPU the training process needs one CPU and loading gets the others. On the CPU the tower needs them all: below
    eight the training process decodes by itself, between its steps. A wanted number of loading processes is cut
    so that one CPU is left for the training itself.

    >>> share_cpus(2, None, on_gpu=False), share_cpus(2, 8, on_gpu=False), share_cpus(16, None, on_gpu=True)
    (CpuShare(n_threads=2, n_workers=0), CpuShare(n_threads=1, n_workers=1), CpuShare(n_threads=1, n_workers=15))

    Args:
        n_workers: wanted loading processes; None: as many as are good.
    """
    own = max(1, n_cpus // n_processes)
    if n_workers is None:
        n_workers = own - 1 if on_gpu else own // CPUS_PER_WORKER
    n_workers = min(n_workers, own - 1)
    return CpuShare(own - n_workers, n_workers)


def settle_cpus(n_workers: int | None, on_gpu: bool, n_processes: int = 1) -> int:
    """Give this process its threads and return its number of loading processes; says so where it is below the wanted.

    A user's own OMP_NUM_THREADS stays.
    """
    import torch

    n_cpus = usable_cpus()
    share = share_cpus(n_cpus, n_workers, on_gpu, n_processes)
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() != share.n_threads:
        torch.set_num_threads(share.n_threads)
    if n_workers is not None and share.n_workers < n_workers:
        print(f"n_workers: {share.n_workers} in place of {n_workers}: {n_cpus} CPUs for {n_processes} training "
              "process(es)", flush=True)
    return share.n_workers
