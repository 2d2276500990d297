import pytest
import torch

from train.model.head_layers import MultiSampleDropout, ParallelLinear, PowerNormalisation


def test_power_normalisation_by_hand():
    # sqrt(0.16 + 0.09) - 0.3 = 0.2, sqrt(1.6 + 0.09) - 0.3 = 1.0; negative features keep their sign
    out = PowerNormalisation(floor=0.09)(torch.tensor([[0.16, -1.6, 0.0]]))
    length = (0.2**2 + 1.0**2) ** 0.5
    assert torch.allclose(out, torch.tensor([[0.2, -1.0, 0.0]]) / length, atol=1e-6)
    features = torch.zeros(1, 3, requires_grad=True)
    PowerNormalisation()(features).sum().backward()
    assert torch.isfinite(features.grad).all()


def test_several_drawings_of_dropout_are_averaged():
    layer = MultiSampleDropout([0.5, 0.5])
    torch.manual_seed(0)
    out = layer(torch.ones(1, 10_000))
    # A feature survives neither, one or both drawings, at twice its value: 0, 1 or 2, a quarter, a half, a quarter.
    assert set(out.unique().tolist()) == {0.0, 1.0, 2.0}
    assert [(out == value).float().mean().item() for value in (0, 1, 2)] == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert torch.equal(layer.eval()(out), out)


def test_before_a_linear_layer_it_is_the_mean_of_the_layers_outputs():
    features, linear = torch.randn(3, 8), torch.nn.Linear(8, 2)
    torch.manual_seed(0)
    ours = linear(MultiSampleDropout([0.1, 0.4])(features))
    torch.manual_seed(0)
    slow = [linear(torch.nn.functional.dropout(features, p, True)) for p in (0.1, 0.4)]
    assert torch.allclose(ours, sum(slow) / 2, atol=1e-6)


def test_parallel_layers_equal_a_slow_loop_in_training_and_one_layer_in_evaluation():
    layer = ParallelLinear(8, 3, [0.01, 0.3, 0.5])
    features = torch.randn(4, 8)
    torch.manual_seed(0)
    ours = layer(features)
    torch.manual_seed(0)
    slow = [torch.nn.functional.dropout(one(features), p, True) for one, p in zip(layer.layers, (0.01, 0.3, 0.5))]
    assert torch.allclose(ours, sum(slow) / 3, atol=1e-6)
    layer.eval()
    assert torch.allclose(layer(features), sum(one(features) for one in layer.layers) / 3, atol=1e-6)
    assert torch.allclose(layer.averaged()(features), layer(features), atol=1e-6)
    assert not torch.allclose(layer.layers[0](features), layer(features), atol=1e-3)
