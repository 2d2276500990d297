import numpy as np
import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError
from train.model.heads import PowerNormalisation, build_head, set_dropout, start_as_pca
from train.retrieval.projection import fit_pca


@pytest.mark.parametrize("kind, n_parameters", [
    ("linear", 5 * 3 + 3),
    ("root_linear", 5 * 3 + 3),
    ("bn_linear", 2 * 5 + 5 * 3 + 3),
    ("mlp", (5 * 7 + 7) + 2 * 7 + 1 + (7 * 3 + 3)),
])
def test_shapes_and_sizes(kind, n_parameters):
    head = build_head(kind, width=5, out_dim=3, hidden_dim=7).eval()
    assert head(torch.randn(2, 5)).shape == (2, 3)
    assert sum(p.numel() for p in head.parameters()) == n_parameters
    torch.jit.script(head)  # what is exported must compile


def test_identity_keeps_the_width():
    assert build_head("identity", 4, 4)(torch.ones(1, 4)).tolist() == [[1.0] * 4]
    with pytest.raises(ValueError, match="width 4 is not out_dim 3"):
        build_head("identity", 4, 3)


def test_unknown_kind():
    with pytest.raises(ConfigError, match="no head 'conv'; known: bn_linear, identity, linear, mlp, root_linear"):
        build_head("conv", 4, 3)


def test_dropout_changes_by_stage():
    head = build_head("mlp", 5, 3, 7)
    set_dropout(head, 0.3)
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout)] == [0.3]


def test_power_normalisation_by_hand():
    # sqrt(0.16 + 0.09) - 0.3 = 0.2, sqrt(1.6 + 0.09) - 0.3 = 1.0; negative features keep their sign
    out = PowerNormalisation(floor=0.09)(torch.tensor([[0.16, -1.6, 0.0]]))
    length = (0.2**2 + 1.0**2) ** 0.5
    assert torch.allclose(out, torch.tensor([[0.2, -1.0, 0.0]]) / length, atol=1e-6)
    features = torch.zeros(1, 3, requires_grad=True)
    PowerNormalisation()(features).sum().backward()
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("kind", ["linear", "root_linear"])
def test_a_head_starts_at_the_principal_axes_of_what_reaches_it(kind):
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 3, 2, 1, 1, 1])
    head = build_head(kind, 6, 3, dropout=0.5)
    reaching = PowerNormalisation()(features) if kind == "root_linear" else features
    for whitening, whiten in ((0.0, False), (1.0, True)):
        start_as_pca(head, features, whitening, length=2.0)
        head.eval()
        embeddings = torch.nn.functional.normalize(head(features).detach(), dim=1).numpy()
        assert np.allclose(embeddings, fit_pca(reaching.numpy(), 3, whiten).project(reaching.numpy()), atol=1e-4)
        assert head[-1].weight[0].norm().item() == pytest.approx(2.0, abs=1e-4)


def test_only_a_single_linear_layer_can_start_as_pca():
    with pytest.raises(ValueError, match="only linear layer"):
        start_as_pca(build_head("mlp", 4, 2, 3), torch.randn(9, 4), 0.0, 1.0)
