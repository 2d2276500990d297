"""Published recipes in small, side by side: one tower, one data set, the same number of images, several seeds.

python -m benchmarks.recipes --shards shards/pocket --runs runs/recipes [--only place2 ...] [--seeds 0 1 2]

Trains what is missing of `benchmarks/recipes.yaml`, scores every run on the test classes in the merged index, and
writes `recipes.md` and `recipes.png`. A killed run goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.sections import put_table

HEADING = "## Recipes side by side"
RECIPES_PATH = Path(__file__).with_name("recipes.yaml")
UNTRAINED = ("off_the_shelf", "pca_whitened_64", "pca_64", "random_projection_64")
IMAGE_PX = 160  # of everything that is scored


def load_recipes() -> dict[str, dict]:
    """name -> the tree of a training config without its name."""
    tree = yaml.safe_load(RECIPES_PATH.read_text(encoding="utf-8"))
    return {name: recipe for name, recipe in tree.items() if not name.startswith(".")}


def evaluation_of(name: str, seed: int, runs_dir: Path) -> Path:
    """Where the scores of a run are, once it is finished."""
    return runs_dir / f"{name}-seed{seed}" / "evaluation.json"


def train_and_score(name: str, recipe: dict, seed: int, shards_dir: Path, runs_dir: Path) -> dict:
    """What `train.evaluate` says of one run; trained first if it is not there."""
    evaluation = evaluation_of(name, seed, runs_dir)
    run_dir = evaluation.parent
    if not evaluation.is_file():
        train_recipe({**recipe, "name": name, "seed": seed}, shards_dir, run_dir)
        run_module("train.evaluate", str(run_dir / "final.ckpt"), "--shards", str(shards_dir))
    return json.loads(evaluation.read_text(encoding="utf-8"))["merged"]


def train_recipe(recipe: dict, shards_dir: Path, run_dir: Path) -> None:
    """Train the tree of a config, or go on with it. Beside the run's folder lie its config, in `configs`, and
    `features`, which the runs there share."""
    config_path = run_dir.parent / "configs" / f"{run_dir.name}.yaml"
    config_path.parent.mkdir(parents=True, exist_ok=True)
    config_path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    run_module("train.fit", str(config_path), "--resume", "--shards", str(shards_dir), "--run-dir", str(run_dir),
               "--features-dir", str(run_dir.parent / "features"))


def run_module(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def score_untrained(shards_dir: Path, runs_dir: Path, seeds: list[int]) -> dict[str, list[dict]]:
    """The tower as it comes: its wide features, and fixed projections of them fitted on the train images."""
    path = runs_dir / "untrained.json"
    if path.is_file():
        scores = json.loads(path.read_text(encoding="utf-8"))
        if len(scores["random_projection_64"]) == len(seeds):
            return scores
    import numpy as np

    from train.config import TrainConfig
    from train.data.feature_cache import cached_features
    from train.data.readers import ShardReader
    from train.retrieval.projection import fit_pca, random_projection, unit_rows
    from train.retrieval.protocol import score_embeddings
    from train.stages.data import items_of
    from train.stages.start import preprocess_of, starting_backbone

    config = TrainConfig.model_validate({**load_recipes()["ujcds"], "name": "untrained"})
    tower = starting_backbone(config, IMAGE_PX)
    spec = preprocess_of(tower, IMAGE_PX, config.resize)
    train, test = (
        unit_rows(np.array(cached_features(tower, ShardReader(shards_dir, split), spec, runs_dir / "features")))
        for split in ("train", "test")
    )
    items = items_of(ShardReader(shards_dir, "test").table)
    embeddings = {
        "off_the_shelf": [test],
        "pca_64": [fit_pca(train, 64, whiten=False).project(test)],
        "pca_whitened_64": [fit_pca(train, 64, whiten=True).project(test)],
        "random_projection_64": [
            random_projection(train.shape[1], 64, np.random.default_rng(seed)).project(test) for seed in seeds
        ],
    }
    scores = {
        name: [_as_record(score_embeddings(np.float32(one), items)) for one in several]
        for name, several in embeddings.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    return scores


def _as_record(score: object) -> dict:
    return {"balanced": score.overall, "per_domain": score.per_domain}


def table_of(scores: dict[str, list[dict]]) -> list[str]:
    """Markdown: a row a recipe, best first: mean mMP@5 over the seeds, lowest and highest, R@1, and each domain."""
    domains = list(next(iter(scores.values()))[0]["per_domain"])
    lines = ["| recipe | seeds | mMP@5 | lowest .. highest | R@1 | " + " | ".join(domains) + " |"]
    lines.append("|---" * (5 + len(domains)) + "|")
    for name, runs in sorted(scores.items(), key=lambda item: -_mean(item[1], "mMP@5")):
        values = [run["balanced"]["mMP@5"] for run in runs]
        by_domain = [
            sum(run["per_domain"][domain]["mMP@5"] for run in runs) / len(runs) for domain in domains
        ]
        lines.append(
            f"| {name} | {len(runs)} | **{_mean(runs, 'mMP@5'):.3f}** | {min(values):.3f} .. {max(values):.3f} | "
            f"{_mean(runs, 'R@1'):.3f} | " + " | ".join(f"{value:.3f}" for value in by_domain) + " |"
        )
    return lines


def _mean(runs: list[dict], metric: str) -> float:
    return sum(run["balanced"][metric] for run in runs) / len(runs)


def draw(scores: dict[str, list[dict]], path: Path) -> None:
    """A row of dots a recipe: one a seed, and their mean."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted(scores, key=lambda name: _mean(scores[name], "mMP@5"))
    figure, axes = pyplot.subplots(figsize=(7, 0.35 * len(names) + 1), layout="constrained")
    for row, name in enumerate(names):
        values = [run["balanced"]["mMP@5"] for run in scores[name]]
        colour = "tab:grey" if name in UNTRAINED else "tab:blue"
        axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.5)
        axes.plot(sum(values) / len(values), row, "|", color=colour, markersize=16)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("mMP@5, mean of the domains (test classes, merged index)")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    recipes = load_recipes()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="the packed mixture")
    parser.add_argument("--runs", type=Path, default=Path("runs/recipes"), help="where the runs and the table land")
    parser.add_argument("--only", nargs="+", choices=list(recipes), default=list(recipes), metavar="RECIPE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--train", action=argparse.BooleanOptionalAction, default=True,
                        help="--no-train: the table of the runs that are finished")
    parser.add_argument("--write", type=Path, help=f"also put the table into this file, under {HEADING!r}")
    options = parser.parse_args()
    from train.cpu_settings import prepare_cpu

    prepare_cpu()  # before torch is imported
    options.runs.mkdir(parents=True, exist_ok=True)
    scores = score_untrained(options.shards, options.runs, options.seeds)
    for seed in options.seeds:
        for name in options.only:
            if options.train or evaluation_of(name, seed, options.runs).is_file():
                scores.setdefault(name, []).append(
                    train_and_score(name, recipes[name], seed, options.shards, options.runs)
                )
    lines = table_of(scores)
    (options.runs / "recipes.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(scores, options.runs / "recipes.png")
    if options.write:
        put_table(options.write, HEADING, lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
