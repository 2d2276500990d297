"""The softmax in chunks of classes against the whole table, in value and gradient."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from train.loss_config import MarginConfig
from train.losses import class_chunks
from train.losses.class_chunks import chunked_margin_softmax_loss
from train.losses.classifier import CosineClassifier
from train.losses.margin_softmax import margin_softmax_loss
from train.stages.margin import build_margin

B, C, D = 9, 23, 6
DOMAINS = torch.arange(C) % 3
MARGINS = {
    "none": {}, "arcface": {"margin_rad": 0.5}, "cosface": {"margin_cos": 0.3}, "li_arcface": {"margin_rad": 0.4},
    "curricularface": {"margin_rad": 0.5}, "adaface": {"margin_rad": 0.4},
    "elastic_arcface": {"margin_rad": 0.4, "margin_std_rad": 0.1},
    "elastic_cosface": {"margin_cos": 0.3, "margin_std_cos": 0.1},
    "class sizes": {"kind": "arcface", "margin_rad": 0.2, "rare_class_margin_rad": 0.6, "growth_per_epoch": 0.1},
}


def batch(n_sub_centres=1, dtype=torch.float32):
    """Raw embeddings [B, D], centres [C, K, D], class ids [B]; one image beside its centre, one opposite."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(B, D, generator=generator, dtype=dtype)
    centres = 0.4 * torch.randn(C, n_sub_centres, D, generator=generator, dtype=dtype)
    class_ids = torch.tensor([0, 22, 5, 5, 11, 12, 3, 7, 8])
    raw[0], raw[1] = centres[0, 0] * 1.5, -centres[22, 0]
    return raw.requires_grad_(), centres.requires_grad_(), class_ids


def stage_margin(kind):
    config = MarginConfig(**({"kind": kind} | MARGINS[kind]))
    margin = build_margin(config, np.repeat(np.arange(C), np.arange(1, C + 1)), C, 4, 30.0)
    if kind == "curricularface":
        margin.kept.t.fill_(0.3)
    return margin


def whole(kind, n_sub_centres, smoothing=0.0, domains=None, gamma=0.0, scale=30.0):
    """Loss from the whole table, and its gradients, from a fresh margin."""
    raw, centres, ids = batch(n_sub_centres)
    classifier = CosineClassifier(C, D, n_sub_centres)
    classifier.centres.data = centres.data
    margin = stage_margin(kind)
    torch.manual_seed(3)
    table = margin(classifier(functional.normalize(raw, dim=1)), ids, raw.norm(dim=1), 5)
    mask = None if domains is None else domains[ids][:, None] == domains[None]
    loss = margin_softmax_loss(table, ids, scale, smoothing, mask, gamma)
    return loss, *torch.autograd.grad(loss, (raw, classifier.centres)), margin


def in_chunks(kind, n_sub_centres, logits_per_chunk, smoothing=0.0, domains=None, gamma=0.0, scale=30.0):
    raw, centres, ids = batch(n_sub_centres)
    margin = stage_margin(kind)
    torch.manual_seed(3)
    loss = chunked_margin_softmax_loss(
        functional.normalize(raw, dim=1), centres, ids, lambda t: margin.parts(t, ids, raw.norm(dim=1).detach(), 5),
        scale, smoothing, domains, gamma, logits_per_chunk,
    )
    return loss, *torch.autograd.grad(loss, (raw, centres)), margin


def assert_same(ours, theirs):
    assert ours[0].item() == pytest.approx(theirs[0].item(), rel=1e-5, abs=1e-6)
    for got, wanted in zip(ours[1:3], theirs[1:3]):
        assert wanted.abs().max() > 1e-4
        assert torch.allclose(got, wanted, rtol=1e-4, atol=2e-6)
    for name, value in theirs[3].state_dict().items():
        assert torch.allclose(ours[3].state_dict()[name], value)


@pytest.mark.parametrize("n_sub_centres", [1, 3])
@pytest.mark.parametrize("kind", MARGINS)
def test_every_margin_equals_the_whole_table(kind, n_sub_centres):
    assert_same(in_chunks(kind, n_sub_centres, 4 * B * n_sub_centres), whole(kind, n_sub_centres))


@pytest.mark.parametrize("logits_per_chunk", [1, 2 * B, 7 * B, C * B, 10**6])
def test_the_size_of_a_chunk_does_not_matter(logits_per_chunk):
    settings = {"smoothing": 0.1, "domains": DOMAINS, "gamma": 2.0}
    assert_same(in_chunks("arcface", 2, logits_per_chunk, **settings), whole("arcface", 2, **settings))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("domains", [None, DOMAINS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothing_domains_and_focal_weight_equal_the_whole_table(smoothing, domains, gamma):
    for kind in ("arcface", "curricularface"):
        settings = {"smoothing": smoothing, "domains": domains, "gamma": gamma}
        assert_same(in_chunks(kind, 1, 5 * B, **settings), whole(kind, 1, **settings))


@pytest.mark.parametrize("n_sub_centres", [1, 2])
@pytest.mark.parametrize("transforms", [False, True])
def test_gradients_are_those_of_finite_differences(transforms, n_sub_centres):
    raw, centres, _ = batch(n_sub_centres, torch.float64)
    raw, centres = (tensor.detach().requires_grad_() for tensor in (raw[2:6], centres[:7]))
    ids, domains = torch.tensor([0, 6, 5, 5]), DOMAINS[:7]
    others = (lambda cosines: cosines * (0.3 + cosines)) if transforms else None

    def margin(targets):
        return torch.cos(0.9 * torch.acos(0.9 * targets) + 0.4), others

    def loss(raw, centres):
        embeddings = functional.normalize(raw, dim=1)
        return chunked_margin_softmax_loss(embeddings, centres, ids, margin, 8.0, 0.1, domains, 1.5, 4 * 3)

    assert torch.autograd.gradcheck(loss, (raw, centres))


def test_a_scale_that_overflows_plain_exponentials_is_no_matter():
    ours = in_chunks("arcface", 1, 4 * B, scale=400.0)
    assert_same(ours, whole("arcface", 1, scale=400.0))


def test_loss_by_hand():
    # Logits 2 and 0: log(1 + e^-2), in two chunks of one class.
    loss = chunked_margin_softmax_loss(
        torch.eye(2)[:1], torch.eye(2)[:, None] * 7.0, torch.tensor([0]), lambda t: (t, None), 2.0, logits_per_chunk=1)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0)))


def test_it_is_float32_under_autocast_forward_and_backward():
    plain = in_chunks("arcface", 2, 6 * B)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = in_chunks("arcface", 2, 6 * B)
    assert cast[0].dtype == cast[2].dtype == torch.float32
    assert torch.equal(cast[0], plain[0]) and torch.equal(cast[2], plain[2])


def test_the_same_bits_come_twice_and_frozen_centres_get_no_gradient():
    first, second = in_chunks("arcface", 1, 3 * B), in_chunks("arcface", 1, 3 * B)
    assert all(torch.equal(a, b) for a, b in zip(first[:3], second[:3]))
    raw, centres, ids = batch()
    margin = stage_margin("arcface")
    loss = chunked_margin_softmax_loss(
        functional.normalize(raw, dim=1), centres.detach(), ids, lambda t: margin.parts(t, ids, None, 5), 30.0,
        logits_per_chunk=3 * B)
    assert torch.equal(torch.autograd.grad(loss, raw)[0], first[1])


def test_no_table_is_made(monkeypatch):
    # The largest tensor that any operation returns, apart from the gradient of the centres.
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.shape[:2] != (5000, 1):
                largest = max(largest, out.numel())
            return out

    monkeypatch.setitem(class_chunks.LOGITS_PER_CHUNK, "cpu", 64 * 100)
    centres = torch.randn(5000, 1, 8, requires_grad=True)
    embeddings = functional.normalize(torch.randn(64, 8), dim=1).requires_grad_()
    with Watch():
        chunked_margin_softmax_loss(embeddings, centres, torch.arange(64), lambda t: (t - 0.3, None), 30.0).backward()
    assert 6400 <= largest < 2 * 6400
    assert centres.grad.abs().max() > 0
