"""Margins: values by hand, both ends of the cosine, units, class sizes."""

import math

import pytest
import torch

from train.losses.margin_softmax import margin_softmax_loss
from train.losses.margins import (
    arcface,
    class_size_margins_rad,
    cosface,
    elastic_arcface,
    elastic_cosface,
    li_arcface,
)

ONE_CLASS = torch.tensor([0])


def _arcface_of(cosine: float, margin_rad: float) -> float:
    return arcface(torch.tensor([[cosine]]), ONE_CLASS, margin_rad).item()


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.0, 2.0, 2.6])
def test_arcface_is_the_cosine_of_the_widened_angle(theta: float) -> None:
    assert _arcface_of(math.cos(theta), 0.5) == pytest.approx(math.cos(theta + 0.5), abs=1e-3)


def test_arcface_goes_on_falling_to_the_opposite_pole() -> None:
    cosines = torch.cos(torch.linspace(0.0, math.pi, 2001))[:, None]
    values = arcface(cosines, torch.zeros(2001, dtype=torch.long), 0.5)[:, 0]
    assert (values[1:] < values[:-1] + 1e-6).all()
    assert values[-1].item() == pytest.approx(-1.0 - 0.5 * math.sin(0.5), abs=1e-3)


def test_only_the_target_column_changes() -> None:
    cosines = torch.tensor([[0.1, 0.2, 0.3], [-0.4, 0.9999999, 0.6]])
    for values in (arcface(cosines, torch.tensor([2, 0]), 0.4), cosface(cosines, torch.tensor([2, 0]), 0.35)):
        changed = values != cosines
        assert changed.tolist() == [[False, False, True], [True, False, False]]


@pytest.mark.parametrize("cosine", [-1.0, -1.0 + 1e-7, 1.0 - 1e-7, 1.0, 1.0000001])
@pytest.mark.parametrize("margin_rad", [0.0, 0.5, 3.0])
def test_arcface_gradient_is_finite_at_both_ends(cosine: float, margin_rad: float) -> None:
    cosines = torch.tensor([[cosine, 0.0]], requires_grad=True)
    values = arcface(cosines, ONE_CLASS, margin_rad)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert cosines.grad is not None
    assert torch.isfinite(cosines.grad).all()


def test_arcface_gradient_follows_the_formula() -> None:
    theta = 1.2
    cosines = torch.tensor([[math.cos(theta)]], requires_grad=True)
    arcface(cosines, ONE_CLASS, 0.5).sum().backward()
    assert cosines.grad is not None
    assert cosines.grad.item() == pytest.approx(math.sin(theta + 0.5) / math.sin(theta), rel=1e-4)


def test_zero_margin_changes_nothing() -> None:
    cosines = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9
    class_ids = torch.arange(5)
    assert torch.allclose(arcface(cosines, class_ids, 0.0), cosines, atol=1e-6)
    assert torch.equal(cosface(cosines, class_ids, 0.0), cosines)


def test_cosface_lowers_the_cosine_itself() -> None:
    values = cosface(torch.tensor([[0.75, 0.5]]), torch.tensor([1]), 0.25)
    assert values.tolist() == [[0.75, 0.25]]


def test_a_margin_for_each_class_is_picked_by_the_target() -> None:
    cosines = torch.zeros(2, 2)
    margins = torch.tensor([0.1, 0.3])
    angular = arcface(cosines, torch.tensor([1, 0]), margins)
    assert angular[0, 1].item() == pytest.approx(math.cos(math.pi / 2 + 0.3), abs=1e-6)
    assert angular[1, 0].item() == pytest.approx(math.cos(math.pi / 2 + 0.1), abs=1e-6)
    assert cosface(cosines, torch.tensor([1, 0]), margins).tolist() == [
        [0.0, pytest.approx(-0.3)],
        [pytest.approx(-0.1), 0.0],
    ]


@pytest.mark.parametrize("function", [arcface, cosface])
def test_margins_of_the_wrong_shape_are_an_error(function) -> None:
    with pytest.raises(ValueError, match=r"shape \[3\].*got \[2\]"):
        function(torch.zeros(1, 3), ONE_CLASS, torch.tensor([0.1, 0.2]))


@pytest.mark.parametrize("function", [arcface, cosface])
def test_half_precision_cosines_become_float32(function) -> None:
    assert function(torch.zeros(1, 3, dtype=torch.float16), ONE_CLASS, 0.2).dtype == torch.float32


def test_class_size_margins_run_from_the_largest_to_the_rarest_class() -> None:
    margins = class_size_margins_rad(torch.tensor([256, 1, 16, 1]), low_rad=0.05, high_rad=0.5)
    # 256 ** -0.25 = 1/4, 1, 16 ** -0.25 = 1/2: the middle class stands a third of the way up
    assert margins.tolist() == pytest.approx([0.05, 0.5, 0.05 + 0.45 / 3, 0.5])
    assert margins.dtype == torch.float32


def test_the_cosine_mapping_runs_from_the_rarest_class_to_the_largest() -> None:
    # UniFEx: 0.2 + 0.5 * 0.4 * (1 + cos(pi * share)), share of the way from the smallest to the largest class.
    sizes = [3, 103, 53, 28]
    expected = [0.6, 0.2, 0.4, 0.2 + 0.2 * (1 + math.cos(math.pi / 4))]
    assert class_size_margins_rad(sizes, 0.2, 0.6, "cosine").tolist() == pytest.approx(expected)
    assert class_size_margins_rad([5, 5], 0.2, 0.6, "cosine").tolist() == pytest.approx([0.2, 0.2])
    with pytest.raises(ValueError, match="'wave'; known: cosine, power"):
        class_size_margins_rad(sizes, 0.2, 0.6, "wave")


def test_class_size_margins_of_equal_classes_are_the_low_one() -> None:
    assert class_size_margins_rad([5, 5], low_rad=0.2, high_rad=0.6).tolist() == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3, 0, 2], 0.1, 0.5), r"none in class ids \[1\]"),
        (([3, 2], 0.5, 0.1), "low_rad <= high_rad"),
        (([3, 2], 0.1, 28.6), "< pi"),
        (([3, 2], 0.1, 0.5, "power", 0.25), "negative"),
        (([], 0.1, 0.5), r"shape \[C\]"),
    ],
)
def test_class_size_margins_refuse_what_makes_no_sense(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_size_margins_rad(*arguments)


def _pml_case(loss, scale: float, function) -> None:
    """Loss and gradient against the embeddings equal those of pytorch-metric-learning on the same centres."""
    generator = torch.Generator().manual_seed(3)
    embeddings = torch.nn.functional.normalize(torch.randn(10, 8, generator=generator), dim=1).requires_grad_()
    class_ids = torch.arange(10) % 4
    peer = loss(embeddings, class_ids)
    (peer_gradient,) = torch.autograd.grad(peer, embeddings)
    cosines = torch.nn.functional.normalize(embeddings, dim=1) @ torch.nn.functional.normalize(loss.W, dim=0)
    ours = margin_softmax_loss(function(cosines, class_ids), class_ids, scale)
    (our_gradient,) = torch.autograd.grad(ours, embeddings)
    assert ours.item() == pytest.approx(peer.item(), rel=1e-5)
    assert torch.allclose(our_gradient, peer_gradient, atol=1e-5, rtol=1e-4)


def test_arcface_cosface_and_normalised_softmax_agree_with_pytorch_metric_learning() -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    _pml_case(losses.ArcFaceLoss(4, 8, margin=math.degrees(0.5), scale=30), 30.0, lambda c, i: arcface(c, i, 0.5))
    _pml_case(losses.CosFaceLoss(4, 8, margin=0.35, scale=30), 30.0, lambda c, i: cosface(c, i, 0.35))
    _pml_case(losses.NormalizedSoftmaxLoss(4, 8, temperature=1 / 16), 16.0, lambda c, i: c)


def test_li_arcface_equals_a_slow_loop_in_value_and_gradient() -> None:
    cosines = (torch.rand(5, 4, generator=torch.Generator().manual_seed(1)) * 1.9 - 0.95).requires_grad_()
    class_ids = torch.tensor([3, 0, 1, 2, 0])
    values = li_arcface(cosines, class_ids, 0.45)
    (gradient,) = torch.autograd.grad(values.sum(), cosines)
    for row in range(5):
        for column in range(4):
            cosine = cosines[row, column].item()
            theta = math.acos(cosine) + (0.45 if column == class_ids[row] else 0.0)
            assert values[row, column].item() == pytest.approx((math.pi - 2 * theta) / math.pi, abs=1e-5)
            slope = 2 / (math.pi * math.sqrt(1 - cosine**2))
            assert gradient[row, column].item() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("function", [elastic_arcface, elastic_cosface])
def test_elastic_margins_are_drawn_a_row_and_repeat_with_the_seed(function) -> None:
    cosines, class_ids = torch.zeros(4000, 3), torch.ones(4000, dtype=torch.long)
    torch.manual_seed(7)
    first = function(cosines, class_ids, 0.4, 0.05)
    torch.manual_seed(7)
    assert torch.equal(first, function(cosines, class_ids, 0.4, 0.05))
    drawn = -first[:, 1] if function is elastic_cosface else torch.acos(first[:, 1]) - math.pi / 2
    assert drawn.mean().item() == pytest.approx(0.4, abs=0.004)
    assert drawn.std().item() == pytest.approx(0.05, abs=0.003)
    assert (first[:, [0, 2]] == 0).all()
