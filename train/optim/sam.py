"""Sharpness-aware minimisation around AdamW. Source: SAM, arXiv 2010.01412."""

import torch
from torch import Tensor


class SAM(torch.optim.AdamW):
    """Each step takes the gradient where the loss is about worst within `rho`, and applies it from where it was.

    The climb is rho * gradient / length of the whole gradient (all groups together), undone by putting the stored
    weights back, so that no rounding is left. The state is AdamW's alone. A step calls its closure twice, so it costs
    two forward and two backward passes; batch norms that train see the batch twice. Whatever else counts a batch can
    tell the second pass by `is_climbed`.

    Args:
        param_groups: as for AdamW.
        rho: length of the climb, in units of the weights.

    Raises:
        ValueError: a rho that is not positive.
    """

    def __init__(self, param_groups: list[dict], rho: float) -> None:
        if rho <= 0.0:
            raise ValueError(f"SAM: rho must be positive, got {rho}")
        super().__init__(param_groups)
        self.rho = rho
        self.is_climbed = False

    @torch.no_grad()
    def step(self, closure=None) -> Tensor:
        """`closure` clears the gradients, computes the loss, calls backward and returns the loss before the climb."""
        if closure is None:
            raise ValueError("SAM: step needs a closure: it takes the gradient at two places")
        with torch.enable_grad():
            loss = closure()
        before = self._climb()
        self.is_climbed = True
        with torch.enable_grad():
            closure()
        self.is_climbed = False
        for parameter, value in before:
            parameter.copy_(value)
        super().step()
        return loss

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        """Move every parameter with a gradient; the parameters and what they were."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            return []
        length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p.grad.float()) for p in moved]))
        before = [(p, p.clone()) for p in moved]
        for p in moved:
            p.add_(p.grad * (self.rho / (length + 1e-12)).to(p.grad))
        return before
