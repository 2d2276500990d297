"""A setting of the C library's memory allocator that decides much of the speed of working on pictures.

It changes no result. Call it at the start of a process.
"""

import ctypes
import sys

# Parameter numbers of mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_MIB = 1 << 20
_GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Serve blocks of any size from the heap and never trim it, as `MALLOC_MMAP_MAX_=0` and friends do from outside.

    Without it every activation of a network is a fresh `mmap` whose pages the kernel clears again at each step: about
    half the training speed at 128 px (`benchmarks/RESULTS.md`). Returns whether this C library knows the setting:
    glibc does, elsewhere nothing changes. The price: memory once used stays with the process.
    """
    return _set_all(((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2 * _GIB - 1), (_M_TOP_PAD, _GIB // 4)))


def keep_freed_pictures() -> bool:
    """The same for blocks below 32 MiB only: a picture's pixels are reused, those of a huge one are given back."""
    return _set_all(((_M_MMAP_THRESHOLD, 32 * _MIB - 1), (_M_TRIM_THRESHOLD, 128 * _MIB), (_M_TOP_PAD, 16 * _MIB)))


def _set_all(settings: tuple[tuple[int, int], ...]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "gnu_get_libc_version"):
        return False
    return all(library.mallopt(parameter, value) == 1 for parameter, value in settings)
