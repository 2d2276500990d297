"""How the threads of the C libraries wait: decides whether two trainings on one CPU take minutes or half an hour."""

import os


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep instead of spinning, unless the user chose otherwise.

    Spinning threads of two processes on the same cores starve each other: 12 against 156 images/s, measured with two
    trainings on two cores. Only works before torch loads its OpenMP library.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
