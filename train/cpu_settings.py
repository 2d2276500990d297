"""How memory is kept and how threads wait: decides whether trainings on one CPU take minutes or half an hour."""

import os

from data_prep.allocator import keep_freed_memory


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
