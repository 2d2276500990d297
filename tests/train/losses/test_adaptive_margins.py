"""Adaptive margins against slow loops over single images and classes, in value and gradient."""

import math

import pytest
import torch

from data_prep.errors import ConfigError
from train.losses.adaptive_margins import AdaCos, AdaFace, CurricularFace

N, C = 12, 6
NORMS = torch.linspace(0.5, 4.0, N)


def make_cosines(seed):
    cosines = torch.rand(N, C, generator=torch.Generator().manual_seed(seed)) * 1.9 - 0.95
    return cosines.requires_grad_(), torch.arange(N) % C


def slow_curricularface(cosines, ids, norms, state):
    targets = [cosines[i, ids[i]] for i in range(N)]
    state["t"] = 0.01 * sum(x.item() for x in targets) / N + 0.99 * state.get("t", 0.0)
    rows = []
    for i in range(N):
        theta = torch.acos(targets[i])
        bar = torch.cos(theta + 0.5)
        row = [c if c <= bar else c * (state["t"] + c) for c in cosines[i]]
        row[ids[i]] = bar if theta <= math.pi - 0.5 else targets[i] - 0.5 * math.sin(0.5)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def slow_adaface(cosines, ids, norms, state):
    mean = sum(float(x) for x in norms) / N
    std = math.sqrt(sum((float(x) - mean) ** 2 for x in norms) / (N - 1))
    state["mean"] = 0.99 * state["mean"] + 0.01 * mean if "mean" in state else mean
    state["std"] = 0.99 * state["std"] + 0.01 * std if "std" in state else std
    rows = []
    for i in range(N):
        z = max(-1.0, min(1.0, (float(norms[i]) - state["mean"]) / (state["std"] + 1e-3) * 0.333))
        angle = (torch.acos(cosines[i, ids[i]]) - 0.4 * z).clamp(1e-3, math.pi - 1e-3)
        row = list(cosines[i])
        row[ids[i]] = torch.cos(angle) - (0.4 + 0.4 * z)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def slow_adacos(cosines, ids, norms, state):
    scale = state.get("scale", math.sqrt(2) * math.log(C - 1))
    mean_sum = sum(math.exp(scale * cosines[i, k].item()) for i in range(N) for k in range(C) if k != ids[i]) / N
    angles = sorted(math.acos(cosines[i, ids[i]].item()) for i in range(N))
    state["scale"] = math.log(mean_sum) / math.cos(min(math.pi / 4, angles[(N - 1) // 2]))
    return cosines * (state["scale"] / 10.0)


CASES = {
    "curricularface": (lambda: CurricularFace(0.5), slow_curricularface),
    "adaface": (lambda: AdaFace(0.4), slow_adaface),
    "adacos": (lambda: AdaCos(C, 10.0), slow_adacos),
}


@pytest.mark.parametrize("kind", CASES)
def test_value_and_gradient_equal_the_slow_loop_over_three_batches(kind):
    make, slow = CASES[kind]
    margin, state = make(), {}
    weights = torch.rand(N, C, generator=torch.Generator().manual_seed(9))
    for seed in range(3):
        cosines, ids = make_cosines(seed)
        norms = NORMS * (1 + seed)
        (fast_gradient,) = torch.autograd.grad((fast := margin(cosines, ids, norms)).mul(weights).sum(), cosines)
        (slow_gradient,) = torch.autograd.grad((loop := slow(cosines, ids, norms, state)).mul(weights).sum(), cosines)
        assert torch.allclose(fast, loop, atol=1e-5)
        assert torch.allclose(fast_gradient, slow_gradient, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", CASES)
def test_a_stored_state_goes_on_where_it_was(kind):
    make, _ = CASES[kind]
    whole, first, second = make(), make(), make()
    cosines, ids = make_cosines(0)
    later, _ = make_cosines(1)
    whole(cosines, ids, NORMS)
    first(cosines, ids, NORMS)
    second.load_state_dict(first.state_dict())
    assert torch.equal(whole(later, ids, NORMS * 2), second(later, ids, NORMS * 2))
    assert not torch.equal(whole(later, ids, NORMS * 2), make()(later, ids, NORMS * 2))


@pytest.mark.parametrize("kind", CASES)
def test_evaluation_mode_moves_nothing(kind):
    margin = CASES[kind][0]().eval()
    before = {name: value.clone() for name, value in margin.state_dict().items()}
    margin(*make_cosines(0), NORMS)
    assert all(torch.equal(value, before[name]) for name, value in margin.state_dict().items())


def test_longer_embeddings_get_the_larger_additive_margin():
    margin = AdaFace(0.4)
    out = margin(torch.zeros(2, 2), torch.tensor([0, 1]), torch.tensor([1.0, 3.0]))
    # mean 2, std sqrt(2): z = -+ 0.2353; cos(pi/2 - 0.4 z) - 0.4 (1 + z)
    z = 1 / (math.sqrt(2) + 1e-3) * 0.333
    assert out[1, 1].item() == pytest.approx(math.sin(0.4 * z) - 0.4 * (1 + z), abs=1e-6)
    assert out[0, 0].item() == pytest.approx(math.sin(-0.4 * z) - 0.4 * (1 - z), abs=1e-6)


def test_adacos_needs_three_classes():
    with pytest.raises(ConfigError, match="3 or more classes, got 2"):
        AdaCos(2, 16.0)
