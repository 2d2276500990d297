"""An embedding that is built at each call becomes a buffer of the trace, one a size."""

import pytest
import torch
from torch import nn

from export.fixed_rotary import fix_rotary


class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.n_built = 0

    def get_embed(self, shape=None):
        self.n_built += 1
        if shape is None:
            return torch.full((1,), 7.0)
        return torch.arange(shape[0] * shape[1], device=torch.device("cpu"), dtype=torch.float32)


class Tower(nn.Module):
    def __init__(self, asks=True):
        super().__init__()
        self.rope = Rotary()
        self.asks = asks

    def forward(self, images):
        embed = self.rope.get_embed(shape=list(images.shape[2:])) if self.asks else self.rope.get_embed()
        return images.flatten(1) + embed


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_names_no_device_and_gives_the_same():
    tower, small, large = Tower().eval(), torch.rand(1, 1, 2, 3), torch.rand(1, 1, 4, 4)
    assert "torch.device(" in torch.jit.trace(tower, small).code
    expected = tower(small), tower(large)
    traces = []
    for example in (small, large):
        fix_rotary(tower, example)
        traces.append(torch.jit.trace(tower, example))
    for trace, example, output in zip(traces, (small, large), expected):
        assert "torch.device(" not in trace.code and torch.equal(trace(example), output)
        assert trace.double()(example.double()).dtype == torch.float64  # a buffer follows the model
    built = tower.rope.n_built
    assert torch.equal(tower(large), expected[1]) and tower.rope.n_built == built


def test_what_a_module_keeps_itself_and_towers_without_one_are_left_alone():
    kept = Tower(asks=False)
    fix_rotary(kept, torch.rand(1, 1, 2, 2))
    assert not list(kept.buffers()) and kept(torch.zeros(1, 1, 1, 1)).item() == 7.0
    plain = nn.Linear(2, 2)
    fix_rotary(plain, torch.zeros(1, 3))  # an input it could not take: it is not run
