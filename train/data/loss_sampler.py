"""Single-source batches given to the sources by their losses, round by round: what is learnt slowly comes more often.

Rounds are planned one at a time, from the losses of those before. A plan depends on its arguments alone, so a resumed
run that has kept the losses makes the same one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from train.data.samplers import ORDER_STREAM, quotas_of, source_rng, spread, stream_of


def steps_by_loss(losses: NDArray[np.floating], n_batches: Sequence[int]) -> NDArray[np.int64]:
    """Batches of each source in each round.

    Even shares in the first round; then each source's share of the sum of losses in the round before. A source that had
    no batch there keeps the share it had, and all are scaled to sum 1 again. Source: UDON, arXiv 2406.08332, which does
    so every 1,000 steps with the teachers' classification losses.

    Args:
        losses: mean loss of each source in each round so far, [at least len(n_batches) - 1, n_sources]; NaN where it
            had no batch.
        n_batches: of each round, this one the last.

    Returns:
        [len(n_batches), n_sources], rows summing to `n_batches`.
    """
    n_sources = losses.shape[1]
    shares = np.full(n_sources, 1.0 / n_sources)
    steps = np.zeros((len(n_batches), n_sources), np.int64)
    for number, n_now in enumerate(n_batches):
        if number > 0 and (total := np.nansum(losses[number - 1])) > 0.0:
            shares = np.where(np.isnan(losses[number - 1]), shares, losses[number - 1] / total)
            shares = shares / shares.sum()
        # Whole weights, for quotas that are the same on every machine.
        weights = {source: round(share * 1e9) for source, share in enumerate(shares.tolist())}
        steps[number] = list(quotas_of(weights, n_now).values())
    return steps


def plan_round(
    images_by_source: Mapping[str, NDArray[np.int64]],
    steps: NDArray[np.int64],
    batch_size: int,
    seed: int,
    class_ids: NDArray[np.int64] | None = None,
    images_per_class: int = 1,
) -> NDArray[np.int64]:
    """The last round's batches: sample indices [n_batches, batch_size], each row from one source.

    A source goes on in its stream (as of `plan_batches`) where the rounds before left it.

    Args:
        images_by_source: source -> sample indices.
        steps: batches of each source, in that order, in each round up to this one: [rounds, n_sources].
        batch_size: must be a multiple of `images_per_class`.
        seed: of all permutations.
        class_ids: [n_samples] for groups of `images_per_class` images of one class, else None.
    """
    names = list(images_by_source)
    now = dict(zip(names, steps[-1].tolist()))
    order = np.array(spread(now, np.random.default_rng([seed, ORDER_STREAM, len(steps)])))
    batches = np.empty((len(order), batch_size), np.int64)
    for column, (name, images) in enumerate(images_by_source.items()):
        n_seen, n_wanted = (int(steps[:end, column].sum()) * batch_size for end in (-1, None))
        stream = stream_of(np.asarray(images, np.int64), n_wanted, class_ids, images_per_class, source_rng(seed, name))
        batches[order == name] = stream[n_seen:].reshape(-1, batch_size)
    return batches
