"""Which sources to train on: a greedy search that adds one source after the other and keeps what helps.

python -m train.choose_sources quickstart --shards shards/quickstart [--seeds 3] [--try-removing] [key=value ...]

A trial trains the config's first stage (the head, on cached features) on some sources and scores the validation classes
of all domains. Every trial sees the same number of images. Leaves choose_sources.json, with every trial, and
choose_sources.png; the same command goes on where it was stopped. Heads only: what a source does to the tower is not
seen.
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.choose_sources", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="name of a file in train/configs, or a path to YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example stages.0.epochs=5")
    parser.add_argument("--shards", type=Path, required=True, help="packed mixture with all candidates")
    parser.add_argument("--candidate", action="append", metavar="SOURCE",
                        help="may come several times; default: all sources with train images")
    parser.add_argument("--start", action="append", default=[], metavar="SOURCE",
                        help="chosen before the first round; may come several times; default: none")
    parser.add_argument("--min-gain", type=float, default=0.0, help="in mMP@5; a change must bring more (default: 0)")
    parser.add_argument("--try-removing", action="store_true", help="after each addition, also try without the others")
    parser.add_argument("--seeds", type=int, default=1, help="trainings a trial, config seed and on (default: 1)")
    parser.add_argument("--images", type=int, help="images that every training sees (default: as the config's first "
                        "stage would see of all sources together)")
    parser.add_argument("--out", type=Path, help="folder of the result (default: runs/<the config's name>-sources)")
    parser.add_argument("--features-dir", type=Path, help="of the tower's features (default: cache in --out)")
    options = parser.parse_intermixed_args(arguments)
    if options.seeds < 1 or options.min_gain < 0 or (options.images is not None and options.images < 1):
        parser.error("--seeds and --images must be at least 1, --min-gain at least 0")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        path = choose_sources(options)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        print("interrupted; the same command goes on after the last training", file=sys.stderr)
        return 130
    print(f"wrote {path}")
    return 0


def choose_sources(options: argparse.Namespace) -> Path:
    """Search, print, and write `choose_sources.json` and `choose_sources.png`; the path of the first.

    Raises:
        ConfigError: wrong config, shards or source names, or a folder with trials of other settings.
    """
    from train.config import load_train_config
    from train.source_results import HEADLINE, TrialFile, draw_search, format_table, result_of
    from train.source_search import chosen_trial, search_sources
    from train.stages.head_trials import HeadTrials

    config = load_train_config(options.config, tuple(options.overrides))
    out_dir = options.out or Path("runs") / f"{config.name}-sources"
    trials = HeadTrials(config, options.shards, options.features_dir or out_dir / "cache", options.images)
    candidates = known_sources(options.candidate or trials.sources, trials.sources, "--candidate")
    start = known_sources(options.start, trials.sources, "--start")
    seeds = range(config.seed, config.seed + options.seeds)
    kept = TrialFile(out_dir / "choose_sources.json", trials.settings)
    print(f"{len(candidates)} candidates; every training sees {trials.n_images:,} images, {len(seeds)} seed(s) a trial")

    def try_sources(sources):
        trial = kept.trial(sources, seeds, trials.score)
        spread = "" if trial.spread is None else f" +- {trial.spread:.4f}"
        print(f"  {' '.join(sources)}: {HEADLINE} {trial.mean:.4f}{spread}", flush=True)
        return trial

    rounds = search_sources(candidates, start, try_sources, options.min_gain, options.try_removing)
    kept.save(result_of(rounds, seeds, options.min_gain))
    draw_search(rounds, out_dir / "choose_sources.png")
    print(format_table(rounds))
    print(f"chosen: {' '.join(chosen_trial(rounds).sources)}")
    return kept.path


def known_sources(wanted, known, flag: str) -> tuple[str, ...]:
    """`wanted`, sorted, once each. Raises ConfigError for a source without train samples."""
    from data_prep.errors import unknown_name

    for source in wanted:
        if source not in known:
            raise unknown_name("source with train samples", source, known, flag)
    return tuple(sorted(set(wanted)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
