"""Train: the stages of a recipe, one after the other.

python -m train.fit quickstart --shards shards/quickstart [--resume] [stages.1.epochs=2 ...]

--smoke runs every stage of a recipe on a narrow tower and a handful of images, to see in seconds that it runs.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.config import TrainConfig


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="name of a file in train/configs, or a path to YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example seed=1 stages.1.epochs=2")
    parser.add_argument("--shards", type=Path, help="packed mixture (default: shards/<the config's mixture>)")
    parser.add_argument("--run-dir", type=Path, help="where the run lands (default: runs/<the config's name>)")
    parser.add_argument("--features-dir", type=Path,
                        help="where features of frozen towers are kept; runs may share it, "
                        "a file's name says what is in it (default: cache in the run's folder)")
    parser.add_argument("--smoke", action="store_true", help="the recipe in small: a narrow random tower, a few images "
                        "of any packed mixture (default: shards/quickstart) a stage, on the CPU")
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction, default=False,
                        help="go on with the run in the folder, if there is one")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, SharedError, TrainingError, WorkerDied
    from train.stopping import STATUS, STOP, Stopped

    STOP.begin()
    try:
        final_path = _train(options)
        if final_path is not None:
            print(f"wrote {final_path}")
        return 0
    except (ConfigError, OSError) as error:
        return STOP.leave(f"error: {error}", 2)
    except (TrainingError, WorkerDied) as error:
        return STOP.leave(f"error: {error}", 1)
    except SharedError:
        return STOP.leave(None, 1)
    except Stopped:
        return STOP.leave("stopped as asked; the same command with --resume goes on where it was", STATUS, True)
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        return STOP.leave("interrupted; the same command with --resume goes on after the last checkpoint", 130, True)
    finally:
        STOP.end()


def _train(options: argparse.Namespace) -> Path | None:
    """`final.ckpt`; None in all processes but the first."""
    from train.config import load_train_config

    config = load_train_config(options.config, tuple(options.overrides))
    from train.cpu_settings import prepare_cpu

    prepare_cpu()  # before torch is imported
    from train.processes import is_first, launch_of, leave_processes, sizes_of
    from train.stages.lightning_loop import join_processes
    from train.stages.runner import Places, run_stages

    shards_dir = options.shards or Path("shards") / ("quickstart" if options.smoke else config.mixture)
    if options.smoke:
        config = _smoke_form(config, shards_dir)
    n_devices, n_nodes = sizes_of(config.n_devices, config.n_nodes, launch_of(os.environ))
    config = config.model_copy(update={"n_devices": n_devices, "n_nodes": n_nodes})
    join_processes(config)
    places = Places(
        shards_dir=shards_dir,
        run_dir=options.run_dir or Path("runs") / config.name,
        features_dir=options.features_dir,
    )
    final_path = run_stages(config, places, options.resume)
    wrote = final_path if is_first() else None
    leave_processes()
    return wrote


def _smoke_form(config: "TrainConfig", shards_dir: Path) -> "TrainConfig":
    from data_prep.manifest import load_manifest
    from train.smoke import smoke_form

    manifest = load_manifest(shards_dir)
    return smoke_form(config, manifest.mixture["name"], sorted({entry.source for entry in manifest.classes}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
