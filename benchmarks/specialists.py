"""A specialist of each domain: what the oracle that knows the domains scores, and how long each one needs.

python -m benchmarks.specialists --shards shards/pocket --runs runs/specialists [--epochs 4] [--seed 0] [--write FILE]

Each is recipe `ujcds` of `benchmarks/recipes.yaml` (UnED's, arXiv 2309.01858) on one domain alone, its last stage
`--epochs` long. Trains what is missing and scores them all as `train.evaluate_specialists` does; the matrix goes to
`specialists.md`, `specialists.json` and `specialists.png`. It also prints after which step each was best on the
validation queries of its domain: the numbers of recipe `uscss`. A killed run goes on where it stopped.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.recipes import load_recipes, run_module, train_recipe
from benchmarks.sections import put_table, table

HEADING = "## Specialists"
RECIPE = "ujcds"


def recipe_of(sources: list[str], epochs: int) -> dict:
    """The recipe on these sources alone, its last stage as many epochs long, each with a validation."""
    recipe = load_recipes()[RECIPE]
    *before, last = ({**stage, "sources": sources} for stage in recipe["stages"])
    return {**recipe, "stages": [*before, {**last, "epochs": epochs, "rounds": epochs}]}


def train_specialist(domain: str, sources: list[str], options: argparse.Namespace) -> Path:
    """The folder of the finished run, trained if it is not there."""
    name = f"specialist_{domain}"
    run_dir = options.runs / f"{name}-epochs{options.epochs}-seed{options.seed}"
    if not (run_dir / "final.ckpt").is_file():
        recipe = {**recipe_of(sources, options.epochs), "name": name, "seed": options.seed}
        train_recipe(recipe, options.shards, run_dir)
    return run_dir


def best_step(rows: Iterable[dict], domain: str) -> int:
    """The step of the last stage after which the domain's mMP@5 on val was highest, the first of equal ones.

    `rows`: of metrics.jsonl, {stage, step, images, name, value} in the order they were written.
    """
    scores = [row for row in rows if row["name"] == f"val/mMP@5/{domain}"]
    of_last = [row for row in scores if row["stage"] == scores[-1]["stage"]]
    return max(of_last, key=lambda row: row["value"])["step"]


def table_of(record: dict) -> list[str]:
    """Markdown of `specialists.json`: mMP@5 in the merged index, a row a specialist and the oracle's."""
    scored = list(record["oracle"]["per_domain"])
    rows = [(name, one, record["mean"][name]) for name, one in record["matrix"].items()]
    rows.append(("**oracle**", record["oracle"]["per_domain"], record["oracle"]["balanced"]))
    return table(["trained on", "mMP@5", *scored], [
        [name, f"{mean['mMP@5']:.3f}", *(f"{per_domain[domain]['mMP@5']:.3f}" for domain in scored)]
        for name, per_domain, mean in rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.specialists", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, required=True, help="the packed mixture")
    parser.add_argument("--runs", type=Path, default=Path("runs/specialists"), help="where the runs and tables land")
    parser.add_argument("--epochs", type=int, default=4, help="of the stage that trains everything")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help=f"also put the table into this file, under {HEADING!r}")
    options = parser.parse_args()
    from data_prep.manifest import load_manifest
    from train.run_log import read_metrics

    sources_of: dict[str, set[str]] = {}
    for entry in load_manifest(options.shards).classes:
        sources_of.setdefault(entry.domain, set()).add(entry.source)
    runs = {domain: train_specialist(domain, sorted(sources_of[domain]), options) for domain in sorted(sources_of)}
    run_module("train.evaluate_specialists", *(str(run_dir / "final.ckpt") for run_dir in runs.values()),
               "--shards", str(options.shards), "--out-dir", str(options.runs))
    lines = table_of(json.loads((options.runs / "specialists.json").read_text(encoding="utf-8")))
    (options.runs / "specialists.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if options.write:
        put_table(options.write, HEADING, lines)
    print("\n".join(lines))
    steps = {domain: best_step(read_metrics(run_dir), domain) for domain, run_dir in runs.items()}
    print("best on val after steps of the last stage: " + ", ".join(f"{one}: {n}" for one, n in steps.items()))


if __name__ == "__main__":
    main()
