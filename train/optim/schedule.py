"""Learning-rate factor over the images seen in the stage: time is counted in images, whatever the batch."""

import math
from dataclasses import dataclass

from data_prep.errors import ConfigError, unknown_name

KINDS = ("constant", "cosine", "exponential", "linear", "step")


@dataclass(frozen=True)
class Schedule:
    """Called with the number of images seen in the stage, it gives the factor on every group's learning rate.

    Each kind begins with the warm-up, a straight line from `warmup_start` to 1. Then `constant` stays at 1; `cosine`
    (half a wave, SGDR, arXiv 1608.03983) and `linear` fall to `final_scale` at the stage's end; `step` is multiplied by
    `drop_factor` at each count of `drop_at_images`; `exponential` each time `drop_every_images` have passed since the
    warm-up.

    >>> cosine = Schedule("cosine", n_images=100, warmup_images=20)
    >>> [round(cosine(count), 3) for count in (0, 10, 20, 60, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    >>> step = Schedule("step", n_images=30, drop_at_images=(10, 20), drop_factor=0.5)
    >>> [step(count) for count in (9, 10, 20)]
    [1.0, 0.5, 0.25]

    Args:
        kind: one of KINDS.
        n_images: images of the whole stage.
        warmup_images: length of the warm-up; 0 for none.
        warmup_start: factor at the first image of the warm-up.
        final_scale: factor at the end of `cosine` and `linear`.
        drop_at_images: for `step`: image counts, rising, each within the stage.
        drop_every_images: for `exponential`: images between two drops, from the end of the warm-up on.
        drop_factor: for `step` and `exponential`, between 0 and 1.

    Raises:
        ConfigError: an unknown kind, or numbers that contradict each other.
    """

    kind: str
    n_images: float
    warmup_images: float = 0
    warmup_start: float = 0.0
    final_scale: float = 0.0
    drop_at_images: tuple[float, ...] = ()
    drop_every_images: float | None = None
    drop_factor: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("schedule", self.kind, KINDS, "schedule")
        if self.n_images < 1 or not 0 <= self.warmup_images <= self.n_images:
            raise ConfigError(f"schedule: expected 0 <= warmup_images <= stage's images, got {self.warmup_images} "
                              f"and {self.n_images}")
        drops = tuple(self.drop_at_images)
        is_rising = list(drops) == sorted(set(drops))
        if self.kind == "step" and not (drops and is_rising and drops[0] > 0 and drops[-1] < self.n_images):
            raise ConfigError(f"schedule step: drops must rise and lie within the stage's {self.n_images} images, "
                              f"got {drops}")
        if self.kind == "exponential" and not (self.drop_every_images or 0) > 0:
            raise ConfigError(f"schedule exponential: images between drops must be positive, "
                              f"got {self.drop_every_images}")
        if self.kind in ("step", "exponential") and not 0.0 < self.drop_factor < 1.0:
            raise ConfigError(f"schedule {self.kind}: drop_factor must lie between 0 and 1, got {self.drop_factor}")

    def __call__(self, image_count: float) -> float:
        if image_count < self.warmup_images:
            return self.warmup_start + (1.0 - self.warmup_start) * image_count / self.warmup_images
        if self.kind == "constant":
            return 1.0
        if self.kind == "step":
            return self.drop_factor ** sum(image_count >= drop for drop in self.drop_at_images)
        since_warmup = image_count - self.warmup_images
        if self.kind == "exponential":
            return self.drop_factor ** int(since_warmup // self.drop_every_images)
        progress = min(1.0, since_warmup / max(1, self.n_images - self.warmup_images))
        share = 0.5 * (1.0 + math.cos(math.pi * progress)) if self.kind == "cosine" else 1.0 - progress
        return self.final_scale + (1.0 - self.final_scale) * share
