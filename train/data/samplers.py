"""Which images make up each batch of a stage: plans made once, from plain arrays, without torch.

A plan depends on its arguments alone, so a resumed run makes the same plan and goes on at step k.
"""

import zlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.errors import ConfigError, unknown_name

KINDS = ("dataset_size", "mixed", "round_robin", "specialist_steps")
ORDER_STREAM, MIXED_STREAM = 0, 1  # numbers that keep the random streams of one seed apart


class BatchPlan(NamedTuple):
    """`batches` [n_steps, batch_size] int64 sample indices; `sources` [n_steps], None for a mixed batch."""

    batches: NDArray[np.int64]
    sources: list[str | None]


# Eight parameters: each is a plain value that a stage says, and the last three belong to single kinds.
def plan_batches(
    kind: Literal["dataset_size", "mixed", "round_robin", "specialist_steps"],
    images_by_source: Mapping[str, NDArray[np.int64]],
    batch_size: int,
    n_steps: int,
    seed: int,
    *,
    steps_by_source: Mapping[str, int] | None = None,
    images_per_class: int | None = None,
    class_ids: NDArray[np.int64] | None = None,
) -> BatchPlan:
    """The sample indices of every step.

    `mixed`: one shuffled stream over the images of all sources. The other kinds give batches of one source
    each: `dataset_size` in proportion to the sources' images, `round_robin` in turn (in the order of the
    mapping), `specialist_steps` in proportion to given steps. Quotas sum to `n_steps` exactly and are spread
    evenly over the stage; a source whose share is below half a step may get none. Source: UnED, arXiv
    2309.01858, section 4.

    Within a stream (a source, or everything for `mixed`) each entry is used once before any is used twice;
    what begins after the last entry is a new permutation. An index that stands twice in `images_by_source`
    counts as two entries. With `images_per_class` the stream consists of groups of that many images of one
    class instead; the last group of a class is filled up from the class's own images, so these alone may come
    twice in one pass.

    Args:
        kind: one of `KINDS`.
        images_by_source: source -> sample indices, not empty.
        batch_size: images of a step.
        n_steps: steps of the stage.
        seed: of all permutations.
        steps_by_source: for `specialist_steps` alone: source -> steps its specialist took to its best.
        images_per_class: group size; must divide `batch_size`.
        class_ids: [n_samples] class of each sample index; needed with `images_per_class` alone.

    Raises:
        ConfigError: an unknown kind, an empty source, sizes that do not fit, arguments of another kind.
    """
    if kind not in KINDS:
        raise unknown_name("sampler", kind, KINDS, "sampler")
    _check_sizes(images_by_source, batch_size, n_steps)
    _check_steps(kind, images_by_source, steps_by_source)
    _check_groups(images_per_class, batch_size, class_ids)
    group_size = images_per_class or 1
    group_classes = class_ids if images_per_class is not None else None
    if kind == "mixed":
        everything = np.concatenate([np.asarray(images, np.int64) for images in images_by_source.values()])
        rng = np.random.default_rng([seed, MIXED_STREAM])
        stream = stream_of(everything, n_steps * batch_size, group_classes, group_size, rng)
        return BatchPlan(stream.reshape(n_steps, batch_size), [None] * n_steps)
    sources = _source_of_each_step(kind, images_by_source, n_steps, steps_by_source, seed)
    batches = np.empty((n_steps, batch_size), dtype=np.int64)
    for name, images in images_by_source.items():
        steps = np.flatnonzero(np.array(sources) == name)
        n_wanted = len(steps) * batch_size
        images = np.asarray(images, np.int64)
        stream = stream_of(images, n_wanted, group_classes, group_size, source_rng(seed, name))
        batches[steps] = stream.reshape(len(steps), batch_size)
    return BatchPlan(batches, list(sources))


def source_rng(seed: int, name: str) -> np.random.Generator:
    """Seeded by the source's name: another source beside it changes when it is asked, never what it gives."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def repeat_to_floor(class_ids: NDArray[np.int64], floor: int) -> NDArray[np.int64]:
    """Positions 0..N-1, those of classes with fewer than `floor` images repeated until the class has `floor`.

    Images of one class differ by at most one in how often they come; the earlier ones come more often.

    >>> repeat_to_floor(np.array([7, 7, 3, 3, 3]), floor=3)
    array([0, 0, 1, 2, 3, 4])

    Args:
        class_ids: [N].
        floor: images that each class has at least in the result; 0 or 1 repeat nothing.

    Returns:
        int64 [at least N], rising.
    """
    _, class_of, n_images = np.unique(class_ids, return_inverse=True, return_counts=True)
    order = np.argsort(class_of, kind="stable")
    rank = np.empty(len(class_of), dtype=np.int64)  # 0-based place of each image in its class
    rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(n_images) - n_images, n_images)
    size = n_images[class_of]  # [N]
    n_copies = np.where(size < floor, floor // size + (rank < floor % size), 1)
    return np.repeat(np.arange(len(class_of), dtype=np.int64), n_copies)


def _check_sizes(images_by_source: Mapping[str, NDArray[np.int64]], batch_size: int, n_steps: int) -> None:
    """Raises ConfigError where there is nothing to draw from or nothing to draw."""
    empty = [name for name, images in images_by_source.items() if len(images) == 0]
    if empty or not images_by_source:
        raise ConfigError(
            f"sampler: no training images in {', '.join(empty) or 'any source: none was given'}"
        )
    if batch_size < 1 or n_steps < 0:
        raise ConfigError(
            f"sampler: expected batch_size >= 1 and n_steps >= 0, got {batch_size} and {n_steps}"
        )


def _check_steps(
    kind: str, images_by_source: Mapping[str, NDArray[np.int64]], steps_by_source: Mapping[str, int] | None
) -> None:
    """Raises ConfigError unless `specialist_steps`, and it alone, says the steps of every source."""
    if (kind == "specialist_steps") != (steps_by_source is not None):
        raise ConfigError(f"sampler {kind}: steps_by_source belongs to specialist_steps, which needs it")
    if steps_by_source is None:
        return
    if set(steps_by_source) != set(images_by_source) or min(steps_by_source.values()) < 1:
        raise ConfigError(
            f"sampler: steps_by_source must give 1 or more steps to each of {', '.join(images_by_source)}; "
            f"got {dict(steps_by_source)}"
        )


def _check_groups(images_per_class: int | None, batch_size: int, class_ids: NDArray[np.int64] | None) -> None:
    """Raises ConfigError where groups of one class cannot be made or do not fill the batch."""
    if images_per_class is None:
        return
    if class_ids is None or images_per_class < 1 or batch_size % images_per_class:
        raise ConfigError(
            f"sampler: images_per_class needs class ids and must divide the batch, got {images_per_class} "
            f"for a batch of {batch_size} {'without' if class_ids is None else 'with'} class ids"
        )


def _source_of_each_step(
    kind: str,
    images_by_source: Mapping[str, NDArray[np.int64]],
    n_steps: int,
    steps_by_source: Mapping[str, int] | None,
    seed: int,
) -> list[str]:
    """[n_steps] names, by the rule of the kind."""
    names = list(images_by_source)
    if kind == "round_robin":
        return [names[step % len(names)] for step in range(n_steps)]
    n_images = {name: len(images) for name, images in images_by_source.items()}
    weights = n_images if steps_by_source is None else {name: steps_by_source[name] for name in names}
    return spread(quotas_of(weights, n_steps), np.random.default_rng([seed, ORDER_STREAM]))


def quotas_of(weights: Mapping[str, int], n_steps: int) -> dict[str, int]:
    """Steps of each source, proportional to its weight, rounded by largest remainder; sum `n_steps`."""
    total = sum(weights.values())
    quotas = {name: weight * n_steps // total for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: -(weights[name] * n_steps % total))
    for name in by_remainder[: n_steps - sum(quotas.values())]:
        quotas[name] += 1
    return quotas


def spread(quotas: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """Each name as often as its quota: one at a random place of each of that many equal stretches."""
    names = np.repeat(list(quotas), list(quotas.values()))
    places = np.concatenate(
        [(np.arange(quota) + rng.random(quota)) / max(1, quota) for quota in quotas.values()]
    )
    return [str(name) for name in names[np.argsort(places, kind="stable")]]


def stream_of(
    images: NDArray[np.int64],
    n_wanted: int,
    class_ids: NDArray[np.int64] | None,
    group_size: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """[n_wanted]: pass after pass over all images, each pass in a new order, cut off at the end."""
    passes: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    n_drawn = 0
    while n_drawn < n_wanted:
        one_pass = (
            rng.permutation(images) if class_ids is None else _grouped(images, class_ids, group_size, rng)
        )
        passes.append(one_pass)
        n_drawn += len(one_pass)
    return np.concatenate(passes)[:n_wanted]


def _grouped(
    images: NDArray[np.int64], class_ids: NDArray[np.int64], group_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """One pass of shuffled groups of one class each; a short last group wraps to its class's start."""
    shuffled = rng.permutation(images)
    by_class = shuffled[
        np.argsort(class_ids[shuffled], kind="stable")
    ]  # classes in a row, random order inside
    _, starts, sizes = np.unique(class_ids[by_class], return_index=True, return_counts=True)
    n_groups = -(-sizes // group_size)  # [C], rounded up
    start, size = np.repeat(starts, n_groups), np.repeat(sizes, n_groups)  # [G]
    first = np.arange(len(start)) - np.repeat(
        np.cumsum(n_groups) - n_groups, n_groups
    )  # [G] group's place in its class
    places = (first[:, None] * group_size + np.arange(group_size)) % size[:, None]  # [G, group_size]
    groups = by_class[start[:, None] + places]
    return rng.permutation(groups, axis=0).ravel()
