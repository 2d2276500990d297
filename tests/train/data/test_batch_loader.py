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


@pytest.mark.parametrize("first", [0, 3])
def test_items_come_once_and_in_order(first):
    assert [int(item[0]) for item in batch_loader(Numbers(), 0, first=first)] == list(range(first, 7))


def test_a_loop_over_batches_draws_no_number_of_the_run():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(batch_loader(Numbers(), 0))
    assert torch.equal(torch.rand(3), expected)
