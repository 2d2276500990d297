"""From the tower's features to the embedding: small modules that script and export as they are."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from data_prep.errors import ConfigError, unknown_name
from train.model.head_layers import MultiSampleDropout, ParallelLinear, PowerNormalisation, UnitLength
from train.retrieval.projection import fit_partly_whitened

# kind -> what `options` may say of it.
OPTIONS: dict[str, frozenset[str]] = {
    "linear": frozenset({"bias"}),
    "unit_linear": frozenset({"bias"}),
    "root_linear": frozenset({"bias"}),
    "bn_linear": frozenset({"bias", "bn_affine", "bn_eps"}),
    "linear_bn": frozenset({"bias", "bn_affine", "bn_eps"}),
    "parallel": frozenset({"dropouts"}),
    "multi_sample": frozenset({"bias", "dropouts"}),
    "mlp": frozenset(),
    "identity": frozenset(),
}
KINDS = tuple(OPTIONS)


def build_head(
    kind: str, width: int, out_dim: int, hidden_dim: int = 512, dropout: float = 0.0, options: Mapping | None = None
) -> nn.Module:
    """Features [B, width] -> [B, out_dim], not yet normalised.

    Kinds: `linear` (dropout, linear), `unit_linear` (unit length, dropout, linear: UnED), `root_linear` (power
    normalisation, dropout, linear), `bn_linear` (batch norm, dropout, linear: places 5 and 6), `linear_bn` (dropout,
    linear, batch norm, PReLU: 10th), `parallel` (dropout, then the mean of `dropouts` linear layers: 3rd),
    `multi_sample` (dropout, the mean of `dropouts` drawings of dropout, linear: 4th), `mlp` (linear, batch norm, PReLU,
    dropout, linear) and `identity` (out_dim must be width: the features themselves).

    Args:
        kind: one of KINDS.
        width: of the features.
        out_dim: of the embedding.
        hidden_dim: of `mlp`.
        dropout: of the one dropout that each kind has, which stages may change (`set_dropout`).
        options: what OPTIONS allows the kind: `bias` of the linear layer (True), `bn_affine` (True), `bn_eps` (1e-5),
            `dropouts` (probabilities, fixed).

    Raises:
        ConfigError: an unknown kind or option; an identity of two widths.
        ValueError: `dropouts` missing.
    """
    if kind not in KINDS:
        raise unknown_name("head", kind, KINDS, "head")
    options = dict(options or {})
    for name in options.keys() - OPTIONS[kind]:
        raise unknown_name("option", name, OPTIONS[kind] or ("none",), f"head {kind!r}")
    if ("dropouts" in OPTIONS[kind]) != bool(options.get("dropouts")):
        raise ValueError(f"head {kind!r}: expected dropouts, at least one probability")
    if kind == "identity" and width != out_dim:
        raise ConfigError(f"head 'identity': out_dim {out_dim} is not the tower's width; expected head.out_dim={width}")
    return _layers(kind, (width, hidden_dim, out_dim), nn.Dropout(dropout), options)


def _layers(kind: str, widths: tuple[int, int, int], dropout: nn.Dropout, options: dict) -> nn.Module:
    width, hidden_dim, out_dim = widths

    def linear() -> nn.Linear:
        return nn.Linear(width, out_dim, bias=options.get("bias", True))

    def batch_norm(n_channels: int) -> nn.BatchNorm1d:
        return nn.BatchNorm1d(n_channels, eps=options.get("bn_eps", 1e-5), affine=options.get("bn_affine", True))

    if kind == "linear":
        return nn.Sequential(dropout, linear())
    if kind == "unit_linear":
        return nn.Sequential(UnitLength(), dropout, linear())
    if kind == "root_linear":
        return nn.Sequential(PowerNormalisation(), dropout, linear())
    if kind == "bn_linear":
        return nn.Sequential(batch_norm(width), dropout, linear())
    if kind == "linear_bn":
        return nn.Sequential(dropout, linear(), batch_norm(out_dim), nn.PReLU())
    if kind == "parallel":
        return nn.Sequential(dropout, ParallelLinear(width, out_dim, options["dropouts"]))
    if kind == "multi_sample":
        return nn.Sequential(dropout, MultiSampleDropout(options["dropouts"]), linear())
    if kind == "mlp":
        return nn.Sequential(
            nn.Linear(width, hidden_dim), batch_norm(hidden_dim), nn.PReLU(), dropout, nn.Linear(hidden_dim, out_dim)
        )
    return nn.Identity()


def with_projection(head: nn.Module, width: int, out_dim: int, after: str) -> nn.Sequential:
    """A head [B, W] -> [B, width] and behind it a linear layer to [B, out_dim].

    `after`: `raw` (what the head gives) or `unit` (that made unit length).
    """
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    return nn.Sequential(*layers, *([UnitLength()] if after == "unit" else []), nn.Linear(width, out_dim))


def folded(head: nn.Module) -> nn.Module:
    """The head as it is exported: every `ParallelLinear` as the one layer it equals in evaluation mode.

    The weights of other layers are shared with `head`.
    """
    if not isinstance(head, nn.Sequential):
        return head
    return nn.Sequential(
        *(layer.averaged() if isinstance(layer, ParallelLinear) else layer for layer in head)
    ).train(head.training)


def set_dropout(head: nn.Module, dropout: float) -> None:
    """Give the head's own dropout layer this probability: stages differ in it. The fixed `dropouts` of `parallel` and
    `multi_sample` stay.
    """
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout


def start_as_pca(head: nn.Module, features: Tensor, whitening: float, length: float) -> None:
    """Start a head that ends in its only linear layer as the principal axes of what reaches that layer.

    Args:
        head: `linear`, `unit_linear` or `root_linear`.
        features: [N, width] of the tower.
        whitening: axis a is divided by its deviation (relative to the first axis') to this power: 0 is plain PCA,
            1 whitens.
        length: of the first axis' weights. It changes no embedding, but how far a learning rate turns the layer.

    Raises:
        ConfigError: what reaches the layer spans fewer directions than it has outputs.
        ValueError: a head that does not end in its only linear layer.
    """
    *before, linear = head
    if not isinstance(linear, nn.Linear) or any(isinstance(module, nn.Linear) for module in before):
        raise ValueError("expected a head that ends in its only linear layer")
    with torch.no_grad():
        inputs = nn.Sequential(*before).eval()(features)
    try:
        projection = fit_partly_whitened(inputs.numpy(), linear.out_features, whitening)
    except ValueError as error:
        raise ConfigError(f"head.init pca: {error}; expected a smaller head.out_dim, or more images") from error
    matrix = projection.matrix * length
    linear.weight.data.copy_(torch.from_numpy(matrix))
    linear.bias.data.copy_(torch.from_numpy(-matrix @ projection.mean))
