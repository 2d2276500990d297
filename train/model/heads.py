"""From the tower's features to the embedding: small modules that script and export as they are."""

import torch
from torch import Tensor, nn

from data_prep.errors import unknown_name
from train.retrieval.projection import fit_pca

KINDS = ("linear", "root_linear", "bn_linear", "mlp", "identity")


class PowerNormalisation(nn.Module):
    """Features [B, W] -> signed square root, unit length.

    Damps the few channels that dominate pooled features, so that the weak ones keep a say in the similarity: on domains
    never trained on that is worth more than any class label (Perronnin et al., ECCV 2010, for Fisher vectors). The root
    is shifted by `floor` to keep its slope finite at 0.
    """

    def __init__(self, floor: float = 0.01) -> None:
        super().__init__()
        self.floor = floor

    def forward(self, features: Tensor) -> Tensor:
        roots = features.sign() * ((features.abs() + self.floor).sqrt() - self.floor**0.5)
        return roots / (roots * roots).sum(dim=1, keepdim=True).clamp(min=1e-24).sqrt()


def build_head(kind: str, width: int, out_dim: int, hidden_dim: int = 512, dropout: float = 0.0) -> nn.Module:
    """Features [B, width] -> [B, out_dim], not yet normalised.

    Kinds: `linear` (dropout, linear), `root_linear` (power normalisation, dropout, linear),
    `bn_linear` (batch norm, dropout, linear), `mlp` (linear, batch norm, PReLU,
    dropout, linear) and `identity` (out_dim must be width: the features themselves).
    """
    if kind == "linear":
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, out_dim))
    if kind == "root_linear":
        return nn.Sequential(PowerNormalisation(), nn.Dropout(dropout), nn.Linear(width, out_dim))
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
    raise unknown_name("head", kind, KINDS, "head")


def set_dropout(head: nn.Module, dropout: float) -> None:
    """Give every dropout layer of the head the same probability: stages differ in it."""
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout


def start_as_pca(head: nn.Module, features: Tensor, whitening: float, length: float) -> None:
    """Start a head that ends in its only linear layer as the principal axes of what reaches that layer.

    Args:
        head: `linear` or `root_linear`.
        features: [N, width] of the tower.
        whitening: axis a is divided by its deviation (relative to the first axis') to this power: 0 is plain PCA,
            1 whitens.
        length: of the first axis' weights. It changes no embedding, but how far a learning rate turns the layer.
    """
    *before, linear = head
    if not isinstance(linear, nn.Linear) or any(isinstance(module, nn.Linear) for module in before):
        raise ValueError("expected a head that ends in its only linear layer")
    with torch.no_grad():
        inputs = nn.Sequential(*before).eval()(features)
    projection = fit_pca(inputs.numpy(), linear.out_features, whiten=False)
    deviations = ((inputs.numpy() - projection.mean) @ projection.matrix.T).std(axis=0)
    matrix = projection.matrix * (length / (deviations / deviations[0]) ** whitening)[:, None]
    linear.weight.data.copy_(torch.from_numpy(matrix))
    linear.bias.data.copy_(torch.from_numpy(-matrix @ projection.mean))
