"""Specialists of single domains side by side: each as if it were universal, and the oracle that knows the domains.

python -m train.evaluate_specialists runs/uned_specialist_*/final.ckpt --shards shards/uned [--protocol uned-reference]

The oracle takes, for a query of a domain, the specialist of that domain, for the query and for the whole merged index.
So its score on a domain is that specialist's own, and its mean is the mean of the diagonal (UnED, arXiv 2309.01858).
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate_specialists", description=__doc__,
                                     allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path, help="one of each domain, trained on that domain alone")
    parser.add_argument("--shards", type=Path, required=True, help="packed mixture")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--protocol", choices=("ours", "uned-reference"), default="ours")
    parser.add_argument("--out-dir", type=Path, default=Path("runs/specialists"),
                        help="for specialists.json and specialists.png (default: runs/specialists)")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        from data_prep.files import write_json
        from data_prep.manifest import load_manifest
        from train.evaluate import evaluate

        domain_of = {entry.source: entry.domain for entry in load_manifest(options.shards).classes}
        records = [evaluate(path, options.shards, options.split, options.protocol) for path in options.checkpoints]
        record = combine(records, domain_of)
        options.out_dir.mkdir(parents=True, exist_ok=True)
        write_json(options.out_dir / "specialists.json", record)
        draw_matrix(record, options.out_dir / "specialists.png")
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(format_matrix(record))
    print(f"wrote {options.out_dir / 'specialists.json'} and specialists.png beside it")
    return 0


def combine(records: list[dict], domain_of: dict[str, str]) -> dict:
    """Evaluations of specialists (as `train.evaluate.evaluate` gives them) -> the matrix and the oracle.

    Args:
        records: one a specialist, all of the same shards, split and protocol.
        domain_of: source -> domain.

    Returns:
        `matrix` {specialist's domain: {scored domain: scores}}, `mean` {specialist's domain: scores}, and `oracle` with
        `per_domain` and `balanced`, its mean over all scored domains. All with the merged index.

    Raises:
        ConfigError: a checkpoint that is no specialist, two of one domain, a scored domain without one.
    """
    from data_prep.errors import ConfigError

    by_domain: dict[str, dict] = {}
    for record in records:
        domains = {domain_of.get(source, source) for source in record["trained_on"] or ()}
        if len(domains) != 1:
            seen = ", ".join(sorted(domains)) or "the whole mixture, or nothing"
            raise ConfigError(f"{record['checkpoint']}: a specialist's stages see sources of one domain; got {seen}")
        (domain,) = domains
        if domain in by_domain:
            raise ConfigError(f"{record['checkpoint']}: {by_domain[domain]['checkpoint']} is of {domain!r} already")
        by_domain[domain] = record
    scored = list(records[0]["merged"]["per_domain"])
    if missing := [domain for domain in scored if domain not in by_domain]:
        raise ConfigError(f"no specialist of {', '.join(missing)}; the oracle needs one of every scored domain")
    own = {domain: by_domain[domain]["merged"]["per_domain"][domain] for domain in scored}
    metrics = list(records[0]["merged"]["balanced"])
    decimals = 3 if records[0]["protocol"] == "uned-reference" else 15
    oracle = {metric: round(sum(one[metric] for one in own.values()) / len(own), decimals) for metric in metrics}
    shared = {key: records[0][key] for key in ("shards", "manifest_sha256", "split", "protocol")}
    return shared | {
        "checkpoints": {domain: record["checkpoint_sha256"] for domain, record in by_domain.items()},
        "matrix": {domain: record["merged"]["per_domain"] for domain, record in by_domain.items()},
        "mean": {domain: record["merged"]["balanced"] for domain, record in by_domain.items()},
        "oracle": {"per_domain": own, "balanced": oracle},
    }


def format_matrix(record: dict) -> str:
    """mMP@5 with the merged index: a row a specialist and one for the oracle, a column a domain and their mean."""
    scored = list(record["oracle"]["per_domain"])
    width = max(len(name) for name in [*record["matrix"], "oracle", "trained on"])
    columns = [max(len(name), 6) for name in [*scored, "mean"]]
    lines = [" ".join([f"{'trained on':{width}}", *(f"{n:>{w}}" for n, w in zip([*scored, "mean"], columns))])]
    rows = [(name, one, record["mean"][name]) for name, one in record["matrix"].items()]
    rows.append(("oracle", record["oracle"]["per_domain"], record["oracle"]["balanced"]))
    for name, per_domain, mean in rows:
        values = [*(per_domain[domain]["mMP@5"] for domain in scored), mean["mMP@5"]]
        lines.append(" ".join([f"{name:{width}}", *(f"{v:{w}.4f}" for v, w in zip(values, columns))]))
    return "\n".join(lines)


def draw_matrix(record: dict, path: Path) -> None:
    """The same numbers as a heat map, PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from data_prep.files import writing_atomically

    scored = list(record["oracle"]["per_domain"])
    values = [[one[domain]["mMP@5"] for domain in scored] for one in record["matrix"].values()]
    side = 2.5 + 0.8 * len(scored)
    figure, axes = pyplot.subplots(figsize=(side, side), layout="constrained")
    axes.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis")
    axes.set_xticks(range(len(scored)), scored, rotation=45, ha="right")
    axes.set_yticks(range(len(values)), list(record["matrix"]))
    axes.set_xlabel("scored on")
    axes.set_ylabel("trained on")
    axes.set_title(f"mMP@5, merged index; oracle {record['oracle']['balanced']['mMP@5']:.3f}")
    for row, numbers in enumerate(values):
        for column, value in enumerate(numbers):
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 else "black")
    with writing_atomically(path) as unfinished_path:
        figure.savefig(unfinished_path, format="png", dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
