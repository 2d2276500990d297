"""Greedy search over sources: add the one that helps most, as long as one helps; optionally drop those that hurt.

The first place of the challenge chose its training data in this way, one data set after the other (write-up, topic
359316). Nothing here trains: what a choice is worth comes from outside.
"""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """What a choice of sources scored: metric -> number for each seed, `mMP@5` among them."""

    sources: tuple[str, ...]
    by_seed: tuple[dict[str, float], ...]

    @property
    def mean(self) -> float:
        """mMP@5, mean of the seeds."""
        return self.mean_of("mMP@5")

    @property
    def spread(self) -> float | None:
        """Standard deviation of mMP@5 between the seeds (n - 1); None for one seed."""
        return statistics.stdev(scores["mMP@5"] for scores in self.by_seed) if len(self.by_seed) > 1 else None

    def mean_of(self, metric: str) -> float:
        return statistics.fmean(scores[metric] for scores in self.by_seed)


@dataclass(frozen=True)
class Round:
    """Everything tried from one choice of sources.

    Attributes:
        kind: 'start', 'add' or 'remove'.
        trials: source that was added or removed -> its trial; the choice itself under '' in a 'start'.
        taken: the source that was; None where none helped enough.
        gain: of the best trial over the choice before, in mMP@5; None where there was nothing before.
    """

    kind: str
    trials: dict[str, Trial]
    taken: str | None
    gain: float | None

    @property
    def best(self) -> str:
        """The source whose trial scored highest; the first by name where several did."""
        return max(sorted(self.trials), key=lambda name: self.trials[name].mean)


def search_sources(
    candidates: Iterable[str], start: Iterable[str], try_sources: Callable[[tuple[str, ...]], Trial],
    min_gain: float = 0.0, removing: bool = False,
) -> list[Round]:
    """The rounds of a search; the last one that took something, or the start, holds the chosen sources.

    Args:
        start: chosen before the first round; from none, the best single source is taken whatever it scores.
        try_sources: sorted sources -> their trial.
        min_gain: 0 or more: what a change must bring more than, in mMP@5. The search ends because each change raises
            the score.
        removing: after each addition, also try to do without each of the sources chosen before.
    """
    chosen = tuple(sorted(start))
    rounds: list[Round] = []
    best: Trial | None = None
    if chosen:
        best = try_sources(chosen)
        rounds.append(Round("start", {"": best}, None, None))
    kinds = ("add", "remove") if removing else ("add",)
    changed = True
    while changed:
        changed, added = False, None
        for kind in kinds:
            tried = {name: _changed(chosen, name) for name in _possible(kind, candidates, chosen, added)}
            if not tried:
                continue
            one = _judge(kind, {name: try_sources(sources) for name, sources in tried.items()}, best, min_gain)
            rounds.append(one)
            if one.taken is not None:
                changed, best, chosen = True, one.trials[one.taken], tried[one.taken]
                added = one.taken if kind == "add" else None
    return rounds


def chosen_trial(rounds: list[Round]) -> Trial:
    """What the search ended with."""
    for one in reversed(rounds):
        if one.kind == "start" or one.taken is not None:
            return one.trials[one.taken or ""]
    raise ValueError("a search without rounds")


def _possible(kind: str, candidates: Iterable[str], chosen: tuple[str, ...], added: str | None) -> list[str]:
    """Sources to add; or to remove: never the last one, nor the one that has just been added."""
    if kind == "add":
        return sorted(set(candidates) - set(chosen))
    return [name for name in chosen if name != added] if len(chosen) > 1 else []


def _changed(chosen: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(sorted(set(chosen) ^ {name}))


def _judge(kind: str, trials: dict[str, Trial], before: Trial | None, min_gain: float) -> Round:
    name = Round(kind, trials, None, None).best
    gain = None if before is None else trials[name].mean - before.mean
    return Round(kind, trials, name if gain is None or gain > min_gain else None, gain)
