import copy
import math

import pytest
import torch

from train.optim.sam import SAM


def quadratic_step(optimizer, w, calls):
    """loss = (w0^2 + 4 w1^2) / 2, gradient (w0, 4 w1)."""
    def closure():
        optimizer.zero_grad()
        calls.append(w.detach().clone())
        loss = (w[0] ** 2 + 4 * w[1] ** 2) / 2
        loss.backward()
        return loss

    return optimizer.step(closure)


def test_two_steps_on_a_quadratic_by_hand():
    w = torch.nn.Parameter(torch.tensor([3.0, 1.0], dtype=torch.float64))
    optimizer = SAM([{"params": [w], "lr": 0.1, "weight_decay": 0.0}], rho=0.5)
    calls = []
    x, mean, square = [3.0, 1.0], [0.0, 0.0], [0.0, 0.0]
    for step in (1, 2):
        loss = quadratic_step(optimizer, w, calls)
        assert loss.item() == pytest.approx((x[0] ** 2 + 4 * x[1] ** 2) / 2)
        length = math.hypot(x[0], 4 * x[1])
        climbed = [x[0] + 0.5 * x[0] / length, x[1] + 0.5 * 4 * x[1] / length]
        assert calls[-1].tolist() == pytest.approx(climbed)
        for i, gradient in enumerate((climbed[0], 4 * climbed[1])):
            mean[i] = 0.9 * mean[i] + 0.1 * gradient
            square[i] = 0.999 * square[i] + 0.001 * gradient**2
            x[i] -= 0.1 * (mean[i] / (1 - 0.9**step)) / (math.sqrt(square[i] / (1 - 0.999**step)) + 1e-8)
        assert w.tolist() == pytest.approx(x)
    assert len(calls) == 4
    assert calls[0].tolist() == [3.0, 1.0] and calls[1].tolist() == pytest.approx([3.3, 1.4])  # length 5


def test_the_gradients_length_is_that_of_all_groups_together():
    a, b = (torch.nn.Parameter(torch.tensor([value])) for value in (3.0, 4.0))
    optimizer = SAM([{"params": [a], "lr": 0.0}, {"params": [b], "lr": 0.0}], rho=1.0)
    seen = []

    def closure():
        optimizer.zero_grad()
        seen.append((a.item(), b.item()))
        (loss := (a**2 + b**2).sum() / 2).backward()
        return loss

    optimizer.step(closure)
    assert seen[1] == pytest.approx((3.6, 4.8)) and (a.item(), b.item()) == (3.0, 4.0)


def test_it_says_which_pass_is_the_climbed_one():
    w = torch.nn.Parameter(torch.tensor([3.0, 1.0]))
    optimizer = SAM([{"params": [w], "lr": 0.1}], rho=0.05)
    seen = []

    def closure():
        seen.append(optimizer.is_climbed)
        optimizer.zero_grad()
        (loss := (w**2).sum()).backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert seen == [False, True] * 2 and not optimizer.is_climbed


def test_state_goes_on_exactly():
    def make():
        w = torch.nn.Parameter(torch.tensor([3.0, 1.0]))
        return w, SAM([{"params": [w], "lr": 0.1}], rho=0.05)

    (whole, first), (cut, second) = make(), make()
    quadratic_step(first, whole, [])
    cut.data.copy_(whole)
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # load_state_dict alone shares tensors
    quadratic_step(first, whole, [])
    quadratic_step(second, cut, [])
    assert torch.equal(whole, cut)


def test_no_closure_and_no_rho_are_errors():
    w = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="needs a closure"):
        SAM([{"params": [w]}], rho=0.05).step()
    with pytest.raises(ValueError, match="rho must be positive"):
        SAM([{"params": [w]}], rho=0.0)
