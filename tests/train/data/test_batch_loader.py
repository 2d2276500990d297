import os

import pytest
import torch
from torch.utils.data import Dataset

from train.data.batch_loader import batch_loader


class Numbers(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, number):
        return torch.tensor([number, os.getpid()])


@pytest.mark.parametrize("steps", [None, range(3, 7)])
@pytest.mark.parametrize("n_workers", [0, 2])
def test_items_come_once_and_in_order(steps, n_workers):
    items = [item.tolist() for item in batch_loader(Numbers(), n_workers, steps)]
    assert [number for number, _ in items] == list(steps or range(7))
    assert len({process for _, process in items} - {os.getpid()}) == n_workers


def test_a_loop_over_batches_draws_no_number_of_the_run():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(batch_loader(Numbers(), 0))
    assert torch.equal(torch.rand(3), expected)
