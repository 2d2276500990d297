"""From the tower's features to the embedding: small modules that script and export as they are."""

from torch import Tensor, nn

from data_prep.errors import unknown_name


def build_head(kind: str, width: int, out_dim: int, hidden_dim: int = 512, dropout: float = 0.0) -> nn.Module:
    """Features [B, width] -> [B, out_dim], not yet normalised.

    Kinds: `linear` (dropout, linear), `bn_linear` (batch norm, dropout, linear), `mlp` (linear, batch norm, PReLU,
    dropout, linear) and `identity` (out_dim must be width: the features themselves).
    """
    if kind == "linear":
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, out_dim))
    if kind == "bn_linear":
        return nn.Sequential(nn.BatchNorm1d(width), nn.Dropout(dropout), nn.Linear(width, out_dim))
    if kind == "mlp":
        return nn.Sequential(
            nn.Linear(width, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, out_dim),
        )
    if kind == "identity":
        if width != out_dim:
            raise ValueError(f"identity head: width {width} is not out_dim {out_dim}")
        return nn.Identity()
    raise unknown_name("head", kind, ["linear", "bn_linear", "mlp", "identity"], "head")


def set_dropout(head: nn.Module, dropout: float) -> None:
    """Give every dropout layer of the head the same probability: stages differ in it."""
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout


def set_linear(head: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Start a `linear` head at a given projection: weight [out_dim, width], bias [out_dim]."""
    layers = [module for module in head.modules() if isinstance(module, nn.Linear)]
    if len(layers) != 1:
        raise ValueError(f"expected a head with one linear layer, got {len(layers)}")
    layers[0].weight.data.copy_(weight)
    layers[0].bias.data.copy_(bias)
