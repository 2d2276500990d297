"""Train: python -m train.fit quickstart --shards shards/quickstart [--resume] [stages.1.epochs=2 ...]"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__, allow_abbrev=False)
    parser.add_argument("config", help="name of a file in train/configs, or a path to YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example seed=1 stages.1.epochs=2")
    parser.add_argument("--shards", type=Path, help="packed mixture (default: shards/<the config's mixture>)")
    parser.add_argument("--run-dir", type=Path, help="where the run lands (default: runs/<the config's name>)")
    parser.add_argument("--features-dir", type=Path,
                        help="where features of frozen towers are kept; runs may share it, "
                        "a file's name says what is in it (default: cache in the run's folder)")
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=False,
                        help="go on with the run in the folder, if there is one")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.config import load_train_config

        config = load_train_config(options.config, tuple(options.overrides))
        from train.cpu_settings import keep_freed_memory, wait_without_spinning

        keep_freed_memory()
        wait_without_spinning()
        from train.stages.runner import Places, run_stages

        places = Places(
            shards_dir=options.shards or Path("shards") / config.mixture,
            run_dir=options.run_dir or Path("runs") / config.name,
            features_dir=options.features_dir,
        )
        final_path = run_stages(config, places, options.resume)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        print("interrupted; the same command with --resume goes on after the last checkpoint", file=sys.stderr)
        return 130
    print(f"wrote {final_path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
