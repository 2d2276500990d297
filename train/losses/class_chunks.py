"""Margin softmax over very many classes, a chunk of classes at a time: no table [B, C] ever exists.

The forward pass keeps, for each image, a running maximum and a running sum of exponentials (online softmax, arXiv
1805.02867). The backward pass computes each chunk's cosines again and turns them into gradients at once. That is one
matrix product more than with a stored table, and far fewer bytes moved.

A chunk lies classes first, [n, B]: a product of tall and narrow matrices is up to twice as fast that way round. Its
size depends on the batch and the kind of device alone, so that a resumed run computes the same bits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from train.losses.margin_softmax import weighted_mean

# (target cosines [B]) -> (target cosines with margin [B], what becomes of the other classes' cosines [n, B]; None: they
# stay). Both act on each element by itself: a row's result depends on its own target and its own cosine.
MarginParts = Callable[[Tensor], tuple[Tensor, Callable[[Tensor], Tensor] | None]]

# On a CPU a chunk stays in the caches; on a GPU it only has to be large enough to keep it busy.
LOGITS_PER_CHUNK = {"cpu": 2**19, "cuda": 2**24}


def chunked_margin_softmax_loss(
    embeddings: Tensor, centres: Tensor, class_ids: Tensor, margin: MarginParts, scale: float,
    label_smoothing: float = 0.0, domain_of_class: Tensor | None = None, focal_gamma: float = 0.0,
    logits_per_chunk: int | None = None,
) -> Tensor:
    """`margin_softmax_loss` of the cosines to the nearest sub-centres, in value and in gradient, in chunks of classes.

    Everything is computed in float32 (float64 for float64 embeddings), also under autocast.

    Args:
        embeddings: [B, D], unit length.
        centres: [C, K, D] of any length, as `CosineClassifier` has them.
        class_ids: int64 [B].
        margin: see `MarginParts`; called once.
        scale, label_smoothing, focal_gamma: as for `margin_softmax_loss`.
        domain_of_class: int64 [C]: only the classes of an image's own domain compete; None: all do.
        logits_per_chunk: cosines held at once, B * K * n; None: `LOGITS_PER_CHUNK`.

    Returns:
        Scalar.
    """
    embeddings = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    if logits_per_chunk is None:
        logits_per_chunk = LOGITS_PER_CHUNK.get(embeddings.device.type, LOGITS_PER_CHUNK["cuda"])
    if domain_of_class is not None:
        domain_of_class = domain_of_class.to(class_ids.device)
    n_classes = max(1, logits_per_chunk // (max(1, len(class_ids)) * centres.shape[1]))
    plan = _Plan(margin, scale, n_classes, wants_gaps=label_smoothing > 0.0)
    target_losses, mean_gaps = _SoftmaxTerms.apply(embeddings, centres, class_ids, domain_of_class, plan)
    return weighted_mean(target_losses, target_losses - mean_gaps, label_smoothing, focal_gamma)


@dataclass(frozen=True)
class _Plan:
    """What does not change from chunk to chunk. `wants_gaps`: label smoothing needs the second result; `others`: what
    the margin makes of the other classes' cosines."""

    margin: MarginParts
    scale: float
    classes_per_chunk: int
    wants_gaps: bool
    others: Callable[[Tensor], Tensor] | None = None

    @property
    def value_scale(self) -> float:
        """Factor inside the matrix product: where nothing comes between, it is the softmax's own: one pass less."""
        return self.scale if self.others is None else 1.0


class _Chunk:
    """Cosines and logits of `n` classes from `start` on.

    `values` [n, K, B] are the embeddings' products with the directions of the centres: cosines times `value_scale` of
    the plan. `logits` [n, B] are -inf for an image's own class, which is counted apart, and for classes that do not
    compete; they lie where the values did if nothing else needs those.
    """

    def __init__(
        self, start: int, vectors: Tensor, scaled: Tensor, class_ids: Tensor, domains: Tensor | None, plan: _Plan
    ) -> None:
        n, n_sub_centres, _ = vectors.shape
        flat = vectors.flatten(0, 1).to(scaled.dtype)  # [n * K, D]
        self.lengths = torch.linalg.vector_norm(flat, dim=1, keepdim=True).clamp_min_(1e-12)
        self.directions = flat / self.lengths
        self.values = (self.directions @ scaled.T).unflatten(0, (n, n_sub_centres))
        self.nearest = self.values[:, 0] if n_sub_centres == 1 else self.values.amax(dim=1)  # [n, B]
        self.changed, self.logits = None, self.nearest
        if plan.others is not None:
            with torch.enable_grad():
                self.changed = plan.others(self.nearest.requires_grad_())
            self.logits = self.changed.detach() * plan.scale
        elif n_sub_centres > 1:
            self.logits = self.nearest.clone()  # `to_sub_centres` compares with them
        local = class_ids - start
        self.has_own = (local >= 0) & (local < n)  # [B]
        self.own_row = local.clamp(0, n - 1)[None]  # [1, B]
        self.set_own(self.logits, torch.full_like(self.logits[0], -torch.inf))
        if domains is not None:
            self.logits.masked_fill_(domains[start : start + n, None] != domains[class_ids], -torch.inf)

    def set_own(self, table: Tensor, values: Tensor) -> None:
        """Write `values` [B] at each image's own class, where that is in this chunk. No look at the data: on a GPU
        the host does not wait."""
        table.scatter_(0, self.own_row, torch.where(self.has_own, values, table.gather(0, self.own_row)))

    def to_nearest(self, gradients: Tensor) -> Tensor:
        """Gradients [n, B] of what the margin made of the other classes' cosines -> of `nearest`."""
        return gradients if self.changed is None else torch.autograd.grad(self.changed, self.nearest, gradients)[0]

    def to_sub_centres(self, gradients: Tensor) -> Tensor:
        """Gradients [n, B] of `nearest` -> of `values` [n * K, B]; equally near ones share, as in amax."""
        if self.values.shape[1] == 1:
            return gradients
        is_nearest = self.values == self.nearest.detach()[:, None]  # [n, K, B]
        return (is_nearest * (gradients / is_nearest.sum(dim=1))[:, None]).flatten(0, 1)

    def write_to_centres(self, gradients: Tensor, scaled: Tensor, out: Tensor) -> None:
        """Gradients [n * K, B] of `values` -> of the centres [n * K, D], whose length does not count, into `out`."""
        torch.mm(gradients, scaled, out=out)
        along = (out * self.directions).sum(dim=1, keepdim=True)
        out.addcmul_(self.directions, along, value=-1.0).div_(self.lengths)


def _chunks(
    embeddings: Tensor, centres: Tensor, class_ids: Tensor, domains: Tensor | None, plan: _Plan
) -> Iterator[tuple[slice, _Chunk]]:
    scaled = embeddings * plan.value_scale
    for start in range(0, len(centres), plan.classes_per_chunk):
        part = slice(start, start + plan.classes_per_chunk)
        yield part, _Chunk(start, centres[part], scaled, class_ids, domains, plan)


def _lower_targets(
    embeddings: Tensor, centres: Tensor, class_ids: Tensor, margin: MarginParts
) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor] | None]:
    """Target cosines with margin [B], their slope over the cosines without [B], the change of the other classes."""
    own = torch.nn.functional.normalize(centres[class_ids].to(embeddings.dtype), dim=2)  # [B, K, D]
    cosines = torch.einsum("bkd,bd->bk", own, embeddings).amax(dim=1)
    with torch.enable_grad():
        cosines = cosines.detach().requires_grad_()
        lowered, others = margin(cosines)
        (slopes,) = torch.autograd.grad(lowered.sum(), cosines)
    return lowered.detach().to(embeddings.dtype), slopes, others


class _SoftmaxTerms(torch.autograd.Function):
    """Per image: -log of the target's share in the softmax, and the mean of (logit - target's logit) over the competing
    classes, zero where the plan does not want it."""

    @staticmethod
    def forward(ctx, embeddings, centres, class_ids, domains, plan):
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            lowered, slopes, others = _lower_targets(embeddings, centres, class_ids, plan.margin)
            plan = replace(plan, others=others)
            targets = plan.scale * lowered  # [B]
            highest, sums = targets, torch.ones_like(targets)
            gaps, n_competing = torch.zeros_like(targets), torch.ones_like(targets)
            for _, chunk in _chunks(embeddings, centres, class_ids, domains, plan):
                if plan.wants_gaps:
                    is_in = ~chunk.logits.isinf()
                    n_competing += is_in.sum(dim=0)
                    gaps += torch.where(is_in, chunk.logits - targets, 0.0).sum(dim=0)
                new_highest = torch.maximum(highest, chunk.logits.amax(dim=0))
                sums = sums * (highest - new_highest).exp_() + chunk.logits.sub_(new_highest).exp_().sum(dim=0)
                highest = new_highest
            losses = (highest - targets) + sums.log()
            ctx.save_for_backward(embeddings, centres, class_ids, domains, n_competing, slopes, losses,
                                  highest + sums.log())
            ctx.plan = plan
        return losses, gaps / n_competing

    @staticmethod
    @once_differentiable
    def backward(ctx, to_losses, to_mean_gaps):
        embeddings, centres, class_ids, domains, n_competing, slopes, losses, log_sums = ctx.saved_tensors
        plan, per_value = ctx.plan, ctx.plan.scale / ctx.plan.value_scale
        to_gaps = to_mean_gaps / n_competing
        with torch.autocast(device_type=embeddings.device.type, enabled=False):
            # Of the target's cosine: its share less 1, by expm1 so that a share near 1 keeps its digits.
            to_own = per_value * slopes * (to_losses * torch.expm1(-losses) - to_gaps * (n_competing - 1))
            to_embeddings = torch.zeros_like(embeddings)
            to_centres = torch.empty_like(centres, dtype=embeddings.dtype, memory_format=torch.contiguous_format)
            scaled = embeddings * plan.value_scale
            for part, chunk in _chunks(embeddings, centres, class_ids, domains, plan):
                is_in = ~chunk.logits.isinf() if plan.wants_gaps else None
                gradients = chunk.logits.sub_(log_sums).exp_().mul_(per_value * to_losses)  # [n, B]
                if plan.wants_gaps:
                    gradients += is_in * (per_value * to_gaps)
                gradients = chunk.to_nearest(gradients)
                chunk.set_own(gradients, to_own)
                gradients = chunk.to_sub_centres(gradients)  # [n * K, B]
                to_embeddings.addmm_(gradients.T, chunk.directions)
                if ctx.needs_input_grad[1]:
                    chunk.write_to_centres(gradients, scaled, to_centres[part].flatten(0, 1))
        to_centres = to_centres.to(centres.dtype) if ctx.needs_input_grad[1] else None
        return to_embeddings.mul_(plan.value_scale), to_centres, None, None, None
