import numpy as np
import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError
from train.model.head_layers import ParallelLinear, PowerNormalisation
from train.model.heads import OPTIONS, build_head, folded, set_dropout, start_as_pca
from train.retrieval.projection import fit_pca


@pytest.mark.parametrize("kind, options, n_parameters", [
    ("linear", {}, 5 * 3 + 3),
    ("linear", {"bias": False}, 5 * 3),
    ("unit_linear", {}, 5 * 3 + 3),
    ("unit_linear", {"bias": False}, 5 * 3),
    ("root_linear", {}, 5 * 3 + 3),
    ("bn_linear", {}, 2 * 5 + 5 * 3 + 3),
    ("bn_linear", {"bn_affine": False, "bn_eps": 1e-6}, 5 * 3 + 3),  # 5th place
    ("linear_bn", {}, 5 * 3 + 3 + 2 * 3 + 1),  # 10th place: PReLU has one slope
    ("parallel", {"dropouts": [0.01, 0.02]}, 2 * (5 * 3 + 3)),
    ("multi_sample", {"dropouts": [0.1, 0.5], "bias": False}, 5 * 3),  # 4th place
    ("mlp", {}, (5 * 7 + 7) + 2 * 7 + 1 + (7 * 3 + 3)),
])
def test_shapes_and_sizes(kind, options, n_parameters):
    head = build_head(kind, width=5, out_dim=3, hidden_dim=7, options=options).eval()
    assert head(torch.randn(2, 5)).shape == (2, 3)
    assert sum(p.numel() for p in head.parameters()) == n_parameters
    torch.jit.script(head)  # what is exported must compile


def test_identity_keeps_the_width():
    assert build_head("identity", 4, 4)(torch.ones(1, 4)).tolist() == [[1.0] * 4]
    with pytest.raises(ConfigError, match=r"out_dim 3 is not the tower's width; expected head\.out_dim=4"):
        build_head("identity", 4, 3)


def test_unknown_kind():
    with pytest.raises(ConfigError, match="no head 'conv'; known: bn_linear, identity, linear, linear_bn, mlp, multi_"):
        build_head("conv", 4, 3)


def test_options_that_a_kind_does_not_have_are_errors():
    with pytest.raises(ConfigError, match="no option 'dropouts'; known: bias"):
        build_head("linear", 4, 3, options={"dropouts": [0.1]})
    with pytest.raises(ConfigError, match="no option 'bias'; known: none"):
        build_head("mlp", 4, 3, options={"bias": False})
    for kind in ("parallel", "multi_sample"):
        with pytest.raises(ValueError, match="at least one probability"):
            build_head(kind, 4, 3)


def test_batch_norm_options_reach_the_layer():
    norm = build_head("bn_linear", 4, 3, options={"bn_affine": False, "bn_eps": 1e-6})[0]
    assert norm.eps == 1e-6 and not norm.affine


@pytest.mark.parametrize("kind", OPTIONS)
def test_folding_changes_no_embedding_and_leaves_no_parallel_layers(kind):
    options = {"dropouts": [0.1, 0.2, 0.5]} if "dropouts" in OPTIONS[kind] else {}
    head = build_head(kind, 4, 4, options=options).eval()
    features = torch.randn(3, 4)
    assert torch.allclose(folded(head)(features), head(features), atol=1e-6)
    assert not any(isinstance(module, ParallelLinear) for module in folded(head).modules())
    assert not folded(head).training


def test_dropout_changes_by_stage():
    head = build_head("mlp", 5, 3, 7)
    set_dropout(head, 0.3)
    assert [m.p for m in head.modules() if isinstance(m, nn.Dropout)] == [0.3]


def test_the_fixed_dropouts_do_not_change_by_stage():
    head = build_head("parallel", 5, 3, options={"dropouts": [0.01, 0.2]})
    set_dropout(head, 0.3)
    assert head[0].p == 0.3 and head[1].probabilities == [0.01, 0.2]


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


def test_fewer_directions_than_the_head_has_outputs_are_the_user_s_to_change():
    features = torch.randn(50, 2) @ torch.randn(2, 6)
    with pytest.raises(ConfigError, match=r"head\.init pca: PCA to 3 dimensions: 50 features \[6\] span only 2"):
        start_as_pca(build_head("linear", 6, 3), features, 0.0, 1.0)
