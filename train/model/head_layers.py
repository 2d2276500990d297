"""The layers of heads that torch does not have; each scripts and exports as it is."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


class UnitLength(nn.Module):
    """[B, D] -> unit length: what a projection fitted on unit embeddings sees."""

    def forward(self, embeddings: Tensor) -> Tensor:
        return embeddings / (embeddings * embeddings).sum(dim=1, keepdim=True).clamp(min=1e-24).sqrt()


class MultiSampleDropout(nn.Module):
    """Features [B, W] -> the mean of several drawings of dropout; nothing in evaluation mode.

    Before a linear layer this equals the mean of the layer's outputs. Source: multi-sample dropout, arXiv 1905.09788
    (there the mean is taken of the losses); 4th place of GUIEC.

    Args:
        probabilities: one a drawing.
    """

    def __init__(self, probabilities: Sequence[float]) -> None:
        super().__init__()
        self.probabilities = [float(p) for p in probabilities]

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return features
        total = torch.zeros_like(features)
        for p in self.probabilities:
            total = total + F.dropout(features, p, True)
        return total / len(self.probabilities)


class ParallelLinear(nn.Module):
    """Features [B, W] -> the mean [B, D] of linear layers side by side, each behind a dropout of its own.

    Source: 3rd place of GUIEC (20 layers, 0.01 ... 0.20). In evaluation mode it is one linear layer (`averaged`).

    Args:
        width, out_dim: W and D.
        probabilities: of the dropout behind each layer; as many layers as there are.
    """

    def __init__(self, width: int, out_dim: int, probabilities: Sequence[float]) -> None:
        super().__init__()
        self.probabilities = [float(p) for p in probabilities]
        self.layers = nn.ModuleList([nn.Linear(width, out_dim) for _ in self.probabilities])

    def forward(self, features: Tensor) -> Tensor:
        total = torch.zeros(1, device=features.device)
        for position, layer in enumerate(self.layers):
            total = total + F.dropout(layer(features), self.probabilities[position], self.training)
        return total / len(self.layers)

    def averaged(self) -> nn.Linear:
        """The one layer whose weights are the mean of all."""
        first = self.layers[0]
        one = nn.utils.skip_init(nn.Linear, first.in_features, first.out_features, device=first.weight.device)
        with torch.no_grad():
            one.weight.copy_(torch.stack([layer.weight for layer in self.layers]).mean(dim=0))
            one.bias.copy_(torch.stack([layer.bias for layer in self.layers]).mean(dim=0))
        return one
