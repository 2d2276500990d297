"""The loss: agreement with pytorch-metric-learning in value and gradient; masks against slow loops."""

import math

import pytest
import torch
from pytorch_metric_learning import losses as peer_losses
from torch.nn import functional

from train.losses.classifier import CosineClassifier
from train.losses.margin_softmax import margin_softmax_loss
from train.losses.margins import arcface, cosface

N_IMAGES, N_CLASSES, DIM, SCALE = 40, 6, 5, 30.0


def _hard_batch(centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Raw embeddings [B, D], class ids [B]; every fourth is close to the opposite pole of its centre."""
    generator = torch.Generator().manual_seed(0)
    class_ids = torch.arange(N_IMAGES) % N_CLASSES
    embeddings = torch.randn(N_IMAGES, DIM, generator=generator)
    embeddings[::4] = -functional.normalize(centres[class_ids[::4]], dim=1) * 3.0 + 0.2 * embeddings[::4]
    return embeddings, class_ids


def _value_and_gradients(loss: torch.Tensor, *inputs: torch.Tensor) -> tuple[float, list[torch.Tensor]]:
    return loss.item(), list(torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("n_sub_centres", [1, 2, 3, 4])
@pytest.mark.parametrize("margin_rad", [0.2, 0.5, 0.8])
def test_arcface_loss_agrees_with_pytorch_metric_learning(margin_rad: float, n_sub_centres: int) -> None:
    classifier = CosineClassifier(N_CLASSES, DIM, n_sub_centres, generator=1)
    raw, class_ids = _hard_batch(classifier.centres.detach()[:, 0])
    raw.requires_grad_(True)
    cosines = classifier(functional.normalize(raw, dim=1))
    targets = cosines.detach().gather(1, class_ids[:, None])
    if n_sub_centres == 1:
        assert (targets < -math.cos(margin_rad)).sum() >= 3  # images beyond pi - margin are among them
    ours = _value_and_gradients(
        margin_softmax_loss(arcface(cosines, class_ids, margin_rad), class_ids, SCALE),
        raw,
        classifier.centres,
    )

    sizes = {
        "num_classes": N_CLASSES,
        "embedding_size": DIM,
        "margin": math.degrees(margin_rad),
        "scale": SCALE,
    }
    if n_sub_centres == 1:
        peer = peer_losses.ArcFaceLoss(**sizes)
    else:
        peer = peer_losses.SubCenterArcFaceLoss(sub_centers=n_sub_centres, **sizes)
    peer.W.data = classifier.centres.detach().flatten(0, 1).T.clone()  # [D, C*K]
    theirs = _value_and_gradients(peer(raw, class_ids), raw, peer.W)
    _assert_agree(ours, theirs)


@pytest.mark.parametrize("margin_cos", [0.0, 0.35, 0.55])
def test_cosface_loss_agrees_with_pytorch_metric_learning(margin_cos: float) -> None:
    classifier = CosineClassifier(N_CLASSES, DIM, generator=2)
    raw, class_ids = _hard_batch(classifier.centres.detach()[:, 0])
    raw.requires_grad_(True)
    cosines = classifier(functional.normalize(raw, dim=1))
    loss = margin_softmax_loss(cosface(cosines, class_ids, margin_cos), class_ids, SCALE)
    ours = _value_and_gradients(loss, raw, classifier.centres)
    peer = peer_losses.CosFaceLoss(num_classes=N_CLASSES, embedding_size=DIM, margin=margin_cos, scale=SCALE)
    peer.W.data = classifier.centres.detach().flatten(0, 1).T.clone()
    _assert_agree(ours, _value_and_gradients(peer(raw, class_ids), raw, peer.W))


def _assert_agree(ours: tuple[float, list[torch.Tensor]], theirs: tuple[float, list[torch.Tensor]]) -> None:
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5)
    (to_embeddings, to_centres), (peer_to_embeddings, peer_to_weights) = ours[1], theirs[1]
    assert to_embeddings.abs().max() > 1e-3  # there is something to agree on
    assert torch.allclose(to_embeddings, peer_to_embeddings, rtol=1e-3, atol=1e-5)
    assert torch.allclose(to_centres.flatten(0, 1), peer_to_weights.T, rtol=1e-3, atol=1e-5)


def test_loss_by_hand() -> None:
    # logits 2 and 0: -log(e^2 / (e^2 + 1)) = log(1 + e^-2)
    loss = margin_softmax_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), scale=2.0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0)))


def _slow_loss(
    cosines: torch.Tensor, class_ids: list[int], scale: float, smoothing: float, mask: torch.Tensor
) -> float:
    total = 0.0
    for row, target in enumerate(class_ids):
        competing = [c for c in range(cosines.shape[1]) if mask[row, c]]
        denominator = sum(math.exp(scale * cosines[row, c].item()) for c in competing)
        for c in competing:
            weight = smoothing / len(competing) + (1.0 - smoothing if c == target else 0.0)
            total -= weight * math.log(math.exp(scale * cosines[row, c].item()) / denominator)
    return total / len(class_ids)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("mask_kind", ["none", "classes", "rows"])
def test_mask_and_smoothing_agree_with_a_slow_loop(smoothing: float, mask_kind: str) -> None:
    cosines = torch.rand(4, 5, generator=torch.Generator().manual_seed(3)) * 2 - 1
    class_ids = [0, 3, 3, 1]
    rows = torch.ones(4, 5, dtype=torch.bool)
    if mask_kind == "classes":
        rows[:, 2] = False
    if mask_kind == "rows":
        rows[0, 3:] = rows[1, :2] = rows[3, 4] = False
    mask = {"none": None, "classes": rows[0], "rows": rows}[mask_kind]
    loss = margin_softmax_loss(cosines, torch.tensor(class_ids), 8.0, smoothing, mask)
    assert loss.item() == pytest.approx(_slow_loss(cosines, class_ids, 8.0, smoothing, rows), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_outside_the_mask_get_no_gradient(smoothing: float) -> None:
    cosines = torch.zeros(2, 4, requires_grad=True)
    mask = torch.tensor([True, True, False, True])
    margin_softmax_loss(cosines, torch.tensor([0, 3]), 10.0, smoothing, mask).backward()
    assert cosines.grad is not None
    assert torch.isfinite(cosines.grad).all()
    assert (cosines.grad[:, 2] == 0).all()
    assert (cosines.grad[:, [0, 1, 3]] != 0).all()


def test_a_mask_without_the_target_is_an_error() -> None:
    with pytest.raises(ValueError, match="leaves out the target"):
        margin_softmax_loss(torch.zeros(1, 2), torch.tensor([1]), 1.0, class_mask=torch.tensor([True, False]))


@pytest.mark.parametrize("mask", [torch.ones(3, dtype=torch.bool), torch.ones(2)])
def test_a_mask_of_another_shape_or_type_is_an_error(mask: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected bool of shape \[2\] or \[1, 2\]"):
        margin_softmax_loss(torch.zeros(1, 2), torch.tensor([1]), 1.0, class_mask=mask)


def test_loss_is_float32_whatever_comes_in() -> None:
    assert (
        margin_softmax_loss(torch.zeros(1, 2, dtype=torch.bfloat16), torch.tensor([1]), 30.0).dtype
        == torch.float32
    )


@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_equals_a_slow_loop_in_value_and_gradient(gamma: float, with_mask: bool) -> None:
    cosines = (torch.rand(6, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1).requires_grad_(True)
    class_ids = torch.tensor([0, 1, 2, 3, 0, 1])
    mask = torch.ones(6, 4, dtype=torch.bool)
    if with_mask:
        mask[:, 3] = class_ids == 3
    ours = margin_softmax_loss(cosines, class_ids, 3.0, class_mask=mask if with_mask else None, focal_gamma=gamma)
    total = torch.tensor(0.0)
    for row, target in enumerate(class_ids):
        shares = [(3.0 * cosines[row, c]).exp() for c in range(4) if mask[row, c]]
        p = (3.0 * cosines[row, target]).exp() / sum(shares)
        total = total - (1 - p) ** gamma * p.log() / len(class_ids)
    assert ours.item() == pytest.approx(total.item(), abs=1e-6)
    gradients = [torch.autograd.grad(loss, cosines)[0] for loss in (ours, total)]
    assert torch.allclose(*gradients, atol=1e-6)


def test_focal_loss_without_gamma_is_cross_entropy_and_finite_where_the_target_has_everything() -> None:
    cosines = torch.tensor([[1.0, -1.0]], requires_grad=True)
    loss = margin_softmax_loss(cosines, torch.tensor([0]), 100.0, focal_gamma=0.5)
    assert loss.item() == 0.0 and torch.isfinite(torch.autograd.grad(loss, cosines)[0]).all()
    everything = torch.ones(2, dtype=torch.bool)
    small = [margin_softmax_loss(cosines, torch.tensor([0]), 2.0, 0.0, everything, gamma) for gamma in (0.0, 1e-9)]
    assert small[1].item() == pytest.approx(small[0].item())
