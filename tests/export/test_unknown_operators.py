"""Operators that 1.11 lacks, found in a compiled model and placed in its code."""

import doctest

import pytest
import torch

from data_prep.errors import ContractError
from export import unknown_operators as module
from export.unknown_operators import operators_of_model, refuse_unknown_operators, unknown_operators


class Newer(torch.nn.Module):
    def forward(self, x):
        if x.shape[0] > 1:
            x = torch.special.airy_ai(x)
        return torch.relu(x)


def test_names_and_places():
    model = torch.jit.script(Newer())
    assert {"aten::special_airy_ai", "aten::relu"} <= set(operators_of_model(model))
    assert list(unknown_operators(model)) == ["aten::special_airy_ai"]  # inside a branch too
    with pytest.raises(ContractError, match=r"does not know aten::special_airy_ai, called in .*test_unknown"):
        refuse_unknown_operators(model)
    refuse_unknown_operators(torch.jit.script(torch.nn.ReLU()))


def test_doctests_run_and_hold():
    result = doctest.testmod(module)
    assert result.attempted == 1 and result.failed == 0
