"""What breaks a training from outside, said so that one knows what to do: memory, a dead process, a dead worker."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from data_prep.errors import ConfigError, TrainingError, WorkerDied
from train.processes import n_processes

_GOES_ON = "the same command with --resume goes on after the last checkpoint"


@contextmanager
def named_faults(where: str, sizes: tuple[int, int, int], n_workers: int) -> Iterator[None]:
    """Errors of the block in the words of the config.

    Args:
        where: key of the stage in the config and its name.
        sizes: images of a batch over all processes, batches of a step, side of the images in pixels.
        n_workers: data loading processes.

    Raises:
        TrainingError: out of memory; another training process is gone.
        WorkerDied: a data loading process is gone.
        ConfigError: one that a data loading process raised, without its traceback.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(_no_memory(where, sizes, str(error))) from error
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise TrainingError(_no_memory(where, sizes, str(error))) from error
    except ConfigError as error:
        if not str(error).startswith("Caught ConfigError in DataLoader worker"):
            raise
        raise ConfigError(str(error).rpartition("ConfigError: ")[2].strip()) from error
    except RuntimeError as error:
        said = str(error)
        if re.search(r"DefaultCPUAllocator|can't allocate memory|Cannot allocate memory", said):
            raise TrainingError(_no_memory(where, sizes, said)) from error
        if "DataLoader worker" in said and "exited unexpectedly" in said:
            raise WorkerDied(_dead_worker(said, n_workers)) from error
        if n_processes() > 1 and re.search(r"Connection (closed|reset)|Broken pipe|peer", said):
            raise TrainingError(f"{where}: another training process is gone; what it said is above or in its own log; "
                                f"{_GOES_ON}") from error
        raise


def _no_memory(where: str, sizes: tuple[int, int, int], said: str) -> str:
    batch_size, accumulate_batches, image_px = sizes
    key = where.split()[0]
    a_process = "" if n_processes() == 1 else f", {-(-batch_size // n_processes())} of them in each process"
    first_line = said.partition("\n")[0][:160] or "no further word"
    return (f"{where}: out of memory with batches of {batch_size} images of {image_px} px{a_process} ({first_line}); "
            f"the same step in less memory: {key}.batch_size={max(1, batch_size // 2)} "
            f"{key}.accumulate_batches={2 * accumulate_batches}, in a new --run-dir; {key}.precision=bf16-mixed needs "
            "about half on a GPU")


def _dead_worker(said: str, n_workers: int) -> str:
    pids = ", ".join(re.findall(r"\d+", said.partition("exited")[0])) or "of unknown id"
    return (f"data loading process {pids} was killed or crashed; most often the machine ran out of memory (see dmesg). "
            f"Give n_workers={max(0, n_workers // 2)} (it is {n_workers}) or smaller batches; {_GOES_ON}")
