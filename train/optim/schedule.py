"""Learning-rate factor over the images seen in the stage: time is counted in images, whatever the batch."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from data_prep.errors import ConfigError, unknown_name

KINDS = ("constant", "cosine", "step")


def warmup_cosine(image_count: int, n_images: int, warmup_images: int, final_scale: float = 0.0) -> float:
    """Linear from 0 to 1 over the warm-up, then half a cosine from 1 to `final_scale`.

    It stays there from `n_images` on. Source of the cosine: SGDR, arXiv 1608.03983.

    >>> [round(warmup_cosine(count, n_images=100, warmup_images=20), 3) for count in (0, 10, 20, 60, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if image_count < warmup_images:
        return image_count / warmup_images
    progress = min(1.0, (image_count - warmup_images) / max(1, n_images - warmup_images))
    return final_scale + (1.0 - final_scale) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_constant(image_count: int, warmup_images: int) -> float:
    """Linear from 0 to 1 over the warm-up, then 1."""
    return image_count / warmup_images if image_count < warmup_images else 1.0


def warmup_step(
    image_count: int, warmup_images: int, drop_at_images: Sequence[int], drop_factor: float
) -> float:
    """Linear from 0 to 1 over the warm-up; multiplied by `drop_factor` from each of the counts on.

    >>> [warmup_step(count, 0, drop_at_images=(10, 20), drop_factor=0.5) for count in (9, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    n_drops = sum(image_count >= drop for drop in drop_at_images)
    return warmup_constant(image_count, warmup_images) * drop_factor**n_drops


def build_schedule(
    kind: Literal["constant", "cosine", "step"],
    n_images: int,
    warmup_images: int = 0,
    final_scale: float = 0.0,
    drop_at_images: Sequence[int] = (),
    drop_factor: float = 0.1,
) -> Callable[[int], float]:
    """A function from the number of images seen in the stage to the factor on every group's learning rate.

    Args:
        kind: each begins with the warm-up; then `constant`, `cosine` (to `final_scale`) or `step`.
        n_images: images of the whole stage.
        warmup_images: length of the linear rise from 0; 0 for none.
        final_scale: factor at the end of `cosine`; the other kinds do not read it.
        drop_at_images: image counts at which `step` drops, rising, each within the stage; for `step` alone.
        drop_factor: by how much `step` drops, between 0 and 1; the other kinds do not read it.

    Raises:
        ConfigError: an unknown kind, or numbers that contradict each other.
    """
    if kind not in KINDS:
        raise unknown_name("schedule", kind, KINDS, "schedule")
    if n_images < 1 or not 0 <= warmup_images <= n_images:
        raise ConfigError(
            f"schedule: expected 0 <= warmup_images <= stage's images, got {warmup_images} and {n_images}"
        )
    if kind == "constant":
        return partial(warmup_constant, warmup_images=warmup_images)
    if kind == "cosine":
        return partial(warmup_cosine, n_images=n_images, warmup_images=warmup_images, final_scale=final_scale)
    drops = tuple(drop_at_images)
    if not drops or list(drops) != sorted(set(drops)) or drops[0] <= 0 or drops[-1] >= n_images:
        raise ConfigError(
            f"schedule step: drops must rise and lie within the stage's {n_images} images, got {drops}"
        )
    if not 0.0 < drop_factor < 1.0:
        raise ConfigError(f"schedule step: drop_factor must lie between 0 and 1, got {drop_factor}")
    return partial(warmup_step, warmup_images=warmup_images, drop_at_images=drops, drop_factor=drop_factor)
