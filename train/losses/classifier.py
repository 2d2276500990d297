"""The class centres that embeddings are compared with while training; they are never exported."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_PART_ROWS = 2**16


class CosineClassifier(nn.Module):
    """Cosine of each embedding to the nearest of `n_sub_centres` centres of each class.

    The parameter `centres` is [C, K, D]. It starts with normal values of standard deviation D ** -0.5, so
    that centres have about unit length and a learning rate means the same for any number of classes; only
    their direction counts. Source of the sub-centres: Sub-center ArcFace, ECCV 2020.

    Args:
        n_classes: C.
        embedding_dim: D.
        n_sub_centres: K, at least 1.
        generator: source of the start values: a seed, a torch generator, or None for torch's global one.

    Raises:
        ValueError: a size below 1.
    """

    def __init__(
        self,
        n_classes: int,
        embedding_dim: int,
        n_sub_centres: int = 1,
        generator: torch.Generator | int | None = None,
    ) -> None:
        super().__init__()
        shape = (n_classes, n_sub_centres, embedding_dim)
        if min(shape) < 1:
            raise ValueError(
                f"classifier: classes, sub-centres and dimensions must be at least 1, got {shape}"
            )
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        self.centres = nn.Parameter(torch.empty(shape))
        nn.init.normal_(self.centres, std=embedding_dim**-0.5, generator=generator)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Unit embeddings [B, D] -> cosines [B, C], float32 even under autocast."""
        n_classes, n_sub_centres, _ = self.centres.shape
        # Half precision has steps of 0.001 near 1, and the margin works on angles: the cosines must stay in
        # float32.
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            directions = functional.normalize(self.centres.float(), dim=2).flatten(0, 1)  # [C*K, D]
            cosines = embeddings.float() @ directions.T  # [B, C*K]
            return cosines.unflatten(1, (n_classes, n_sub_centres)).amax(dim=2)

    @torch.no_grad()
    def set_centres_from_class_means(
        self, embeddings: Tensor, class_ids: Tensor, seed: int = 0, noise: float = 0.1
    ) -> None:
        """Moves the centres of each class to the mean direction of its embeddings.

        The first sub-centre is the mean itself. The others are the mean plus seeded noise of about length
        `noise`, because equal sub-centres would receive equal gradients and never part.

        Args:
            embeddings: [N, D], unit length.
            class_ids: [N] int64 in 0..C-1; each class at least once.
            seed: of the noise.
            noise: expected length of the noise added to the unit mean.

        Raises:
            ValueError: shapes that do not fit, or a class without an embedding.
        """
        n_classes, _, dim = self.centres.shape
        if embeddings.shape != (len(class_ids), dim):
            raise ValueError(
                f"class means: expected embeddings [{len(class_ids)}, {dim}], got {list(embeddings.shape)}"
            )
        n_embeddings = torch.bincount(class_ids, minlength=n_classes)
        if len(n_embeddings) > n_classes or (n_embeddings == 0).any():
            absent = torch.nonzero(n_embeddings == 0)[:5, 0].tolist()
            raise ValueError(
                f"class means: class ids must cover 0..{n_classes - 1}; got up to {len(n_embeddings) - 1} "
                f"and no embedding of the classes {absent}"
            )
        sums = torch.zeros(n_classes, dim, dtype=torch.float64, device=embeddings.device)
        for part in range(0, len(class_ids), _PART_ROWS):  # float64 of millions of rows at once would double memory
            rows = slice(part, part + _PART_ROWS)
            sums.index_add_(0, class_ids[rows], embeddings[rows].double())
        means = functional.normalize(sums, dim=1).to(self.centres)  # [C, D]
        generator = torch.Generator().manual_seed(seed)
        offsets = torch.randn(self.centres.shape, generator=generator) * noise * dim**-0.5
        offsets[:, 0] = 0.0
        self.centres.copy_(functional.normalize(means[:, None] + offsets.to(means), dim=2))
