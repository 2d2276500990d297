"""One training in several processes: how they come together, who writes, what they tell each other.

Lightning makes the process group; what is here works without one too, as a single process. Messages about work of the
first process alone (features, scores, files) go through a group of their own over gloo, whose patience is days: the
training's own group gives up on a silent peer after half an hour.
"""

import gc
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from data_prep.errors import ConfigError, SharedError

T = TypeVar("T")

PATIENCE = timedelta(days=7)
_patient_groups: list[dist.ProcessGroup] = []  # one, once the processes have come together


class Launch(NamedTuple):
    """What a launcher has started: `n_devices` processes on each of `n_nodes` machines; `by` names the launcher."""

    n_devices: int
    n_nodes: int
    by: str


def launch_of(environment: Mapping[str, str]) -> Launch | None:
    """What torchrun or Slurm's srun says that it started; None where neither did (then Lightning starts processes).

    Raises:
        ConfigError: Slurm tasks without --ntasks-per-node, or torchrun with another number a machine.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        n_all, n_devices = int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"])
        if n_all % n_devices:
            raise ConfigError(f"torchrun: {n_all} processes, {n_devices} on this machine; expected as many on each: "
                              "give every torchrun the same --nproc-per-node")
        return Launch(n_devices, n_all // n_devices, "torchrun")
    if "SLURM_PROCID" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        n_tasks, per_node = int(environment.get("SLURM_NTASKS", "1")), environment.get("SLURM_NTASKS_PER_NODE")
        if per_node is None and n_tasks > 1:
            raise ConfigError(f"Slurm: {n_tasks} tasks; expected --ntasks-per-node (one task a GPU) beside --nodes")
        return Launch(int(per_node or 1), int(environment.get("SLURM_NNODES", "1")), "Slurm")
    return None


def sizes_of(n_devices: int, n_nodes: int, launch: Launch | None) -> tuple[int, int]:
    """Processes a machine and machines, from the config and what was launched; the config's default is 1 of each.

    Raises:
        ConfigError: the config asks for something else than what the launcher has started.
    """
    if launch is None or (n_devices, n_nodes) == (launch.n_devices, launch.n_nodes):
        return n_devices, n_nodes
    if (n_devices, n_nodes) != (1, 1):
        srun = " (a job script starts one itself; srun --ntasks-per-node=... starts the others)"
        raise ConfigError(
            f"{launch.by} started {launch.n_devices} process(es) on each of {launch.n_nodes} machine(s), the config "
            f"says n_devices={n_devices} n_nodes={n_nodes}: leave both out, or make them n_devices={launch.n_devices} "
            f"n_nodes={launch.n_nodes}{srun if launch.by == 'Slurm' else ''}")
    return launch.n_devices, launch.n_nodes


def rank() -> int:
    """Number of this process among all, from 0."""
    return dist.get_rank() if _is_one_of_many() else 0


def n_processes() -> int:
    return dist.get_world_size() if _is_one_of_many() else 1


def local_rank() -> int:
    """Number of this process on its machine: that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))) if _is_one_of_many() else 0


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return rank() == 0


def _is_one_of_many() -> bool:
    return dist.is_available() and dist.is_initialized()


def patient_group() -> dist.ProcessGroup:
    """The group for messages between processes of which one may take hours; all call this first together."""
    if not _patient_groups:
        _patient_groups.append(dist.new_group(backend="gloo", timeout=PATIENCE))
    return _patient_groups[0]


def leave_processes() -> None:
    """End the groups, where all processes are done: from here on this one is alone.

    Gloo's threads hold tensors that Python knows until a while after a message has arrived. One that lets go of them
    when the interpreter is ending aborts the process, at random (github.com/pytorch/pytorch/pull/179291); a group that
    is gone has waited for its threads. It waits for messages on their way too: not to be called after an error, when
    the others may never send theirs.
    """
    if not _is_one_of_many():
        return
    _patient_groups.clear()
    dist.destroy_process_group()
    gc.collect()  # the trainers, in cycles, hold groups too


def tell_all(value: T) -> T:
    """The first process's value, in every process."""
    if n_processes() == 1:
        return value
    told = [value]
    dist.broadcast_object_list(told, src=0, group=patient_group())
    return told[0]


def hear_all(value: T) -> list[T]:
    """Every process's value, in every process, by rank."""
    if n_processes() == 1:
        return [value]
    values: list[Any] = [None] * n_processes()
    dist.all_gather_object(values, value, group=patient_group())
    return values


def any_says(value: bool) -> bool:
    """Whether any process says yes. It waits for the CPUs of all, never for their GPUs."""
    if n_processes() == 1:
        return value
    said = torch.tensor([int(value)])
    dist.all_reduce(said, op=dist.ReduceOp.MAX, group=patient_group())
    return bool(said.item())


def first_does(work: Callable[[], T]) -> T:
    """Let the first process alone do something; every process gets its result (plain values), or its error.

    Raises:
        SharedError: in the other processes, where the first one's work failed.
    """
    if n_processes() == 1:
        return work()
    if not is_first():
        result, error = tell_all(None)
        if error is not None:
            raise SharedError(error)
        return result
    try:
        result = work()
    except (ConfigError, OSError) as error:
        tell_all((None, str(error)))
        raise
    tell_all((result, None))
    return result


def known_to_all(error: Exception) -> Exception:
    """What to raise where all processes raise the same: the error in the first, which says it, else SharedError."""
    return error if is_first() else SharedError(str(error))


def first_then_others(work: Callable[[], T]) -> T:
    """Let the first process do what leaves a file behind, then the others, which find it."""
    if n_processes() == 1:
        return work()
    results: list[T] = []
    first_does(lambda: results.append(work()))
    return results[0] if results else work()


def is_cut_up(tensors: Iterable[Tensor]) -> bool:
    """Whether any is a DTensor, cut up over the processes by FSDP; told without that type, which is slow to import."""
    return any(hasattr(tensor, "full_tensor") for tensor in tensors)


def shares_of(n_items: int, n_shares: int) -> list[np.ndarray]:
    """Which of 0..n_items-1 each process takes where order matters: stretches that differ by one item at most."""
    return np.array_split(np.arange(n_items), n_shares)


def rows_of_all(rows: Tensor, n_total: int) -> Tensor | None:
    """The rows [n, D] of every process, those of `shares_of(n_total, ...)`, in order: [n_total, D] on the CPU.

    In the first process; None in the others.
    """
    rows = rows.cpu().contiguous()
    if n_processes() == 1:
        return rows
    shares = shares_of(n_total, n_processes())
    assert len(rows) == len(shares[rank()]), f"{len(rows)} rows for a share of {len(shares[rank()])}"
    padded = torch.zeros(len(shares[0]), *rows.shape[1:], dtype=rows.dtype)  # the first share is the longest
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in shares] if is_first() else None
    dist.gather(padded, parts, dst=0, group=patient_group())
    return torch.cat([part[: len(share)] for part, share in zip(parts, shares)]) if parts else None


def whole_batch(own: Tensor, n_total: int) -> Tensor:
    """The whole batch [n_total, ...] from each process's every n-th row, in the batch's order.

    Gradients: a loss of the whole batch that every process computes alike, averaged over processes as DDP does, gives
    each process's rows the gradient of that loss: they are multiplied by the number of processes here.
    """
    n = n_processes()
    if n == 1:
        return own
    padded = own.new_zeros(-(-n_total // n), *own.shape[1:])
    padded[: len(own)] = own.detach()
    parts = [torch.empty_like(padded) for _ in range(n)]
    dist.all_gather(parts, padded)
    whole = torch.empty(n_total, *own.shape[1:], dtype=own.dtype, device=own.device)
    for number, part in enumerate(parts):
        whole[number::n] = part[: len(range(number, n_total, n))]
    if not own.requires_grad:
        return whole
    live = own.clone()
    live.register_hook(lambda gradient: gradient * n)
    places = torch.arange(rank(), n_total, n, device=own.device)
    return whole.index_copy(0, places, live)
