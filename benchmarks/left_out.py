"""Domains that training never saw: a recipe trained without two of them, and these two scored.

python -m benchmarks.left_out --shards shards/pocket --runs runs/left_out [--recipes ours ...] [--seeds 0 ...]

Trains what is missing of each pair of domains and recipe of `benchmarks/recipes.yaml`, and scores the test classes of
the domains left out among those of all domains (merged index, 160 px). Beside it stand the tower as it comes, the 64-D
projections of it that need no labels (fitted on the train images of the domains that were kept) and the trained tower's
own features. `--write benchmarks/RESULTS.md` puts the table into its section there. A killed run goes on where it
stopped.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.recipes import IMAGE_PX, load_recipes, train_recipe
from benchmarks.sections import put_table

if TYPE_CHECKING:
    import numpy as np

    from train.data.readers import ShardReader

PAIRS = (("logos", "toys"), ("emoji", "groceries"), ("apparel", "furniture"), ("objects", "places"))
HEADING = "## Domains left out"
PROJECTIONS = {
    "pca_64": "PCA 64-D", "pca_whitened_64": "PCA-whitened 64-D", "roots_64": "half-whitened PCA of roots 64-D",
}


def recipe_without(recipe: dict, pair: tuple[str, str], sources: list[str]) -> dict:
    """The recipe with every stage on the other sources, and its last stage's result as the outcome: the validation
    classes belong to all domains, so nothing may be chosen by them."""
    kept = [source for source in sources if source not in pair]
    stages = [{**stage, "sources": kept} for stage in recipe["stages"]]
    return {**recipe, "stages": stages, "choose": "last"}


def score_run(
    name: str, pair: tuple[str, str], seed: int, shards_dir: Path, runs_dir: Path
) -> dict[str, dict[str, float]]:
    """mMP@5 of each domain left out: {what is scored: {domain: value}}; trained first if it is not there."""
    from data_prep.files import writing_atomically
    from data_prep.manifest import load_manifest

    run_dir = runs_dir / f"{name}-without-{'-'.join(pair)}-seed{seed}"
    done = run_dir / "left_out.json"
    if not done.is_file():
        sources = sorted({entry.source for entry in load_manifest(shards_dir).classes})
        recipe = recipe_without(load_recipes()[name], pair, sources)
        train_recipe({**recipe, "name": name, "seed": seed}, shards_dir, run_dir)
        scores = score_untrained(pair, shards_dir, runs_dir / "features")
        scores |= score_trained(run_dir / "final.ckpt", pair, shards_dir)
        with writing_atomically(done) as unfinished_path:
            unfinished_path.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    return json.loads(done.read_text(encoding="utf-8"))


def score_untrained(pair: tuple[str, str], shards_dir: Path, features_dir: Path) -> dict[str, dict[str, float]]:
    """The tower as it comes, and projections of it fitted on the train images of the domains that are kept."""
    import numpy as np
    import torch

    from train.config import TrainConfig
    from train.data.feature_cache import cached_features
    from train.data.readers import ShardReader
    from train.model.head_layers import PowerNormalisation
    from train.retrieval.projection import fit_partly_whitened, fit_pca, unit_rows
    from train.stages.start import preprocess_of, starting_backbone

    config = TrainConfig.model_validate({**load_recipes()["ours"], "name": "untrained"})
    tower = starting_backbone(config, IMAGE_PX)
    spec = preprocess_of(tower, IMAGE_PX, config.resize)
    readers = {split: ShardReader(shards_dir, split) for split in ("train", "test")}
    wide = {split: np.array(cached_features(tower, reader, spec, features_dir)) for split, reader in readers.items()}
    wide["train"] = wide["train"][~np.isin(readers["train"].table.domains, pair)]
    unit = {split: unit_rows(features) for split, features in wide.items()}
    roots = {split: PowerNormalisation()(torch.from_numpy(features)).numpy() for split, features in wide.items()}
    embeddings = {
        "off_the_shelf": unit["test"],
        "pca_64": fit_pca(unit["train"], 64, whiten=False).project(unit["test"]),
        "pca_whitened_64": fit_pca(unit["train"], 64, whiten=True).project(unit["test"]),
        "roots_64": fit_partly_whitened(roots["train"], 64, config.head.init_whitening).project(roots["test"]),
    }
    return {name: of_domains(one, readers["test"], pair) for name, one in embeddings.items()}


def score_trained(checkpoint: Path, pair: tuple[str, str], shards_dir: Path) -> dict[str, dict[str, float]]:
    """The trained tower's own features, and the embedding."""
    import numpy as np
    import torch

    from train.checkpoint import load_checkpoint
    from train.data.feature_cache import compute_features
    from train.data.readers import ShardReader
    from train.retrieval.projection import unit_rows
    from train.stages.start import to_device

    loaded, reader = load_checkpoint(checkpoint), ShardReader(shards_dir, "test")
    to_device(loaded.embedder, "cpu")
    wide = compute_features(loaded.embedder.backbone, reader, loaded.preprocess)
    with torch.no_grad():
        embeddings = loaded.embedder.project(torch.from_numpy(wide)).numpy()
    return {
        "tuned_tower": of_domains(np.float32(unit_rows(wide)), reader, pair),
        "embedding": of_domains(embeddings, reader, pair),
    }


def of_domains(embeddings: "np.ndarray", reader: "ShardReader", domains: tuple[str, ...]) -> dict[str, float]:
    """mMP@5 of these domains' queries in the merged index of all; embeddings [N, D] of unit length."""
    import numpy as np

    from train.retrieval.protocol import score_embeddings
    from train.stages.data import items_of

    per_domain = score_embeddings(np.float32(embeddings), items_of(reader.table)).per_domain
    return {domain: per_domain[domain]["mMP@5"] for domain in domains}


def table_of(scores: dict[str, list[dict]]) -> list[str]:
    """Markdown: a row a domain left out, then their mean.

    `scores`: recipe -> the `score_run`s of one domain after the other, several of a domain where there are more seeds.
    """
    first = next(iter(scores.values()))
    domains = sorted({domain for run in first for domain in run["embedding"]})
    columns = ["off the shelf, 1280-D", *PROJECTIONS.values()]
    for name in scores:
        columns += [f"{name}, tower 1280-D", f"**{name}, 64-D**", "over the best 64-D projection"]
    lines = ["| domain left out | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    rows = [_row(scores, first, domain) for domain in domains]
    means = [sum(column) / len(column) for column in zip(*rows)]
    for domain, values in [*zip(domains, rows), ("**mean**", means)]:
        cells = [f"{value:+.3f}" if column.startswith("over") else f"{value:.3f}"
                 for column, value in zip(columns, values)]
        lines.append(f"| {domain} | " + " | ".join(cells) + " |")
    return lines


def _row(scores: dict[str, list[dict]], untrained: list[dict], domain: str) -> list[float]:
    values = [_mean(untrained, "off_the_shelf", domain), *(_mean(untrained, name, domain) for name in PROJECTIONS)]
    best = max(values[1:])
    for runs in scores.values():
        embedding = _mean(runs, "embedding", domain)
        values += [_mean(runs, "tuned_tower", domain), embedding, embedding - best]
    return values


def _mean(runs: list[dict], what: str, domain: str) -> float:
    values = [run[what][domain] for run in runs if domain in run[what]]
    return sum(values) / len(values)


def main() -> None:
    pairs = {"+".join(pair): pair for pair in PAIRS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.left_out", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="the packed mixture")
    parser.add_argument("--runs", type=Path, default=Path("runs/left_out"), help="where the runs and the table land")
    parser.add_argument("--recipes", nargs="+", choices=list(load_recipes()), default=["ours"], metavar="RECIPE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--pairs", nargs="+", choices=list(pairs), default=list(pairs), metavar="PAIR",
                        help=f"which are left out, of {', '.join(pairs)} (default: each in turn)")
    parser.add_argument("--write", type=Path, help=f"also put the table into this file, under {HEADING!r}")
    options = parser.parse_args()
    from train.cpu_settings import prepare_cpu

    prepare_cpu()  # before torch is imported
    scores = {
        name: [score_run(name, pairs[pair], seed, options.shards, options.runs)
               for pair in options.pairs for seed in options.seeds]
        for name in options.recipes
    }
    lines = table_of(scores)
    (options.runs / "left_out.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if options.write:
        put_table(options.write, HEADING, lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
