"""Whole batches from a data set, in its own process or in others."""

import multiprocessing
from collections.abc import Iterable

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from data_prep.allocator import keep_freed_pictures
from train.stopping import ignore_in_worker

# What a loading process imports. The server that forks them imports it once, so that a round does not begin with
# seconds of imports in every process.
_PRELOADED = ["train.data.datasets", "train.data.augmentation", "train.data.batch_loader"]


def batch_loader(
    batches: Dataset, n_workers: int, steps: Iterable[int] | None = None, pin_memory: bool = False
) -> DataLoader:
    """The items of `batches` in order, each a whole batch; every item is made once, by one of the processes.

    Args:
        batches: item b is batch b.
        n_workers: loading processes; 0: the calling one.
        steps: which items, in what order; None: all.
        pin_memory: copy batches to page-locked memory, from which a GPU fetches them beside its work.
    """
    context = None
    if n_workers:
        context = multiprocessing.get_context("forkserver")  # a fork of a process with threads may hang
        context.set_forkserver_preload(_PRELOADED)
    return DataLoader(
        batches, batch_size=None, sampler=range(len(batches)) if steps is None else steps, num_workers=n_workers,
        multiprocessing_context=context, pin_memory=pin_memory,
        generator=torch.Generator(),  # else every loop over batches would draw from the one that dropout draws from
        worker_init_fn=prepare_worker if n_workers else None,
    )


def prepare_worker(number: int) -> None:
    """What a loading process does first."""
    ignore_in_worker(number)
    cv2.setNumThreads(0)  # the processes are the parallelism
    torch.set_num_threads(1)
    keep_freed_pictures()
