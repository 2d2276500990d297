"""Two settings of the C libraries that decide whether training on CPUs takes minutes or half an hour.

Call both before torch is imported; neither changes a result.
"""

import ctypes
import os
import sys

# Parameter numbers of mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_ONE_GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Serve large blocks from the heap and never trim it, as `MALLOC_MMAP_MAX_=0` and friends do from outside.

    Without it every activation is a fresh `mmap` whose pages the kernel clears again at each step: about half the
    training speed at 128 px (`benchmarks/RESULTS.md`). Returns whether this C library knows the setting: glibc does,
    elsewhere nothing changes. The price: memory once used stays with the process.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "gnu_get_libc_version"):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2 * _ONE_GIB - 1), (_M_TOP_PAD, _ONE_GIB // 4))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in settings)


def wait_without_spinning() -> None:
    """Let idle OpenMP threads sleep instead of spinning, unless the user chose otherwise.

    Spinning threads of two processes on the same cores starve each other: 12 against 156 images/s, measured with two
    trainings on two cores. Only works before torch loads its OpenMP library.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
