"""What a search over sources found: a file that keeps every trial, a table, a picture."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import write_json, writing_atomically
from train.source_search import Round, Trial, chosen_trial

HEADLINE = "mMP@5"


class TrialFile:
    """`choose_sources.json`: trials are kept as they are done, so that a search that was stopped repeats none.

    Args:
        path: may exist.
        settings: what decides a trial's scores besides its sources and its seed.

    Raises:
        ConfigError: the file holds trials of other settings, or is no such file.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        self.scores: dict[tuple[str, ...], dict[int, dict[str, float]]] = {}
        if path.is_file():
            self._load()

    def _load(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            theirs, trials = content["settings"], content["trials"]
            scores = {tuple(one["sources"]): {int(k): v for k, v in one["scores_by_seed"].items()} for one in trials}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self.path}: not a file of trials: {error!r}") from error
        different = sorted(k for k in theirs.keys() | self.settings.keys() if theirs.get(k) != self.settings.get(k))
        if different:
            raise ConfigError(f"{self.path}: its trials were run otherwise ({', '.join(different)}); use another --out")
        self.scores = scores

    def trial(
        self, sources: tuple[str, ...], seeds: Sequence[int], run: Callable[[tuple[str, ...], int], dict[str, float]]
    ) -> Trial:
        """The trial of these sources; `run` makes the scores of the seeds that are missing, each saved at once."""
        by_seed = self.scores.setdefault(sources, {})
        for seed in seeds:
            if seed not in by_seed:
                by_seed[seed] = run(sources, seed)
                self.save({})
        return Trial(sources, tuple(by_seed[seed] for seed in seeds))

    def save(self, result: Mapping[str, object]) -> None:
        """Write settings, all trials and, at the end of a search, its result."""
        trials = [{"sources": list(sources), "scores_by_seed": scores} for sources, scores in self.scores.items()]
        write_json(self.path, {"settings": self.settings, "trials": trials, **result})


def result_of(rounds: list[Round], seeds: Sequence[int], min_gain: float) -> dict:
    """The end of `choose_sources.json`: the chosen sources, their score, and every round."""
    end = chosen_trial(rounds)
    return {
        "seeds": list(seeds), "min_gain": min_gain, "chosen": list(end.sources), HEADLINE: end.mean,
        "spread": end.spread, "per_domain": {name: end.mean_of(f"{HEADLINE}/{name}") for name in domains_of(end)},
        "rounds": [
            {"kind": one.kind, "taken": one.taken, "gain": one.gain, "trials": [
                {"changed": name, **asdict(trial), "mean": trial.mean, "spread": trial.spread}
                for name, trial in one.trials.items()]}
            for one in rounds
        ],
    }


def domains_of(trial: Trial) -> list[str]:
    """Domains that were scored."""
    return [name.removeprefix(f"{HEADLINE}/") for name in trial.by_seed[0] if name.startswith(f"{HEADLINE}/")]


def format_table(rounds: list[Round]) -> str:
    """A line a trial, the best of a round first, with the mean, its spread, what it gains, and each domain."""
    domains = domains_of(chosen_trial(rounds))
    names = [_name(one, changed) for one in rounds for changed in one.trials]
    width, columns = max(map(len, names)), [max(7, len(domain) + 1) for domain in domains]
    lines = [f"{'':7}{'':{width}} {'mean':>7} {'spread':>7} {'gain':>8} "
             + "".join(f"{domain:>{w}}" for domain, w in zip(domains, columns))]
    before: float | None = None
    for number, one in enumerate(rounds, start=1):
        for changed in sorted(one.trials, key=lambda name: -one.trials[name].mean):
            trial = one.trials[changed]
            mark = "*" if one.kind == "start" or changed == one.taken else " "
            spread = "" if trial.spread is None else f"{trial.spread:.4f}"
            gain = "" if before is None else f"{trial.mean - before:+.4f}"
            cells = "".join(f"{trial.mean_of(f'{HEADLINE}/{d}'):{w}.4f}" for d, w in zip(domains, columns))
            lines.append(f"{number:>4} {mark} {_name(one, changed):{width}} {trial.mean:7.4f} {spread:>7} {gain:>8} "
                         + cells)
        if one.kind == "start" or one.taken is not None:
            before = one.trials[one.taken or ""].mean
    return "\n".join(lines)


def _name(one: Round, changed: str) -> str:
    if one.kind == "start":
        return " ".join(one.trials[""].sources)
    return f"{'+' if one.kind == 'add' else '-'} {changed}"


def draw_search(rounds: list[Round], path: Path) -> Path:
    """A picture: every trial of every round as a dot, and the way of the chosen ones with their spread."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(max(5.0, 1.5 * len(rounds) + 2), 4.5), layout="constrained")
    way = []
    for number, one in enumerate(rounds, start=1):
        best = "" if one.kind == "start" else one.best
        for changed, trial in one.trials.items():
            axes.plot(number, trial.mean, "o", color="0.75", markersize=5, zorder=1)
            if changed == best and one.kind != "start" and one.taken is None:
                axes.annotate(f"{_name(one, changed)}\nnot taken", (number, trial.mean), (0, 7), color="0.5",
                              textcoords="offset points", ha="center", fontsize=8)
        if one.kind == "start" or one.taken is not None:
            way.append((number, one.trials[best], "start" if one.kind == "start" else _name(one, best)))
    axes.errorbar([n for n, _, _ in way], [trial.mean for _, trial, _ in way],
                  [trial.spread or 0.0 for _, trial, _ in way], color="#1b7f5c", marker="o", capsize=3, zorder=2)
    for number, trial, name in way:
        axes.annotate(name, (number, trial.mean), (0, 9), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xticks(range(1, len(rounds) + 1))
    axes.set_xlim(0.4, len(rounds) + 0.6)
    axes.margins(y=0.2)
    axes.set(xlabel="round", ylabel="validation mMP@5, mean of all domains")
    axes.grid(axis="y", color="0.92")
    with writing_atomically(path) as unfinished_path:
        figure.savefig(unfinished_path, dpi=110, format="png")
    pyplot.close(figure)
    return path
