"""Several runs of one recipe side by side: mean and range of mMP@5 per domain, as a Markdown table.

python -m benchmarks.seeds runs/pocket_seed0/validation.json runs/pocket_seed1/validation.json ...
"""

import argparse
import json
from pathlib import Path


def table_of(validations: list[dict]) -> list[str]:
    """Markdown lines; the runs must have been scored on the same images, and share their baselines."""
    if len({validation["images_sha256"] for validation in validations}) != 1:
        raise SystemExit("error: the runs were scored on different images")
    baselines = validations[0]["baselines"]
    heading = "| domain | off the shelf | PCA-whitened 64-D | trained 64-D, mean | lowest .. highest | gain |"
    lines = [heading, "|---|---|---|---|---|---|"]
    for domain in [*sorted(validations[0]["per_domain"]), None]:
        off, pca = (_value(baselines[name], domain) for name in ("off_the_shelf", "pca_whitened_64"))
        trained = [_value(validation, domain) for validation in validations]
        mean = sum(trained) / len(trained)
        lines.append(
            f"| {domain or '**mean of domains**'} | {off:.3f} | {pca:.3f} | {mean:.3f} "
            f"| {min(trained):.3f} .. {max(trained):.3f} | {mean - off:+.3f} |"
        )
    return lines


def _value(score: dict, domain: str | None) -> float:
    return score["mMP@5"] if domain is None else score["per_domain"][domain]["mMP@5"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("validations", type=Path, nargs="+", help="validation.json of each run")
    options = parser.parse_args()
    for path in options.validations:
        if not path.is_file():
            parser.error(f"{path}: no such file; `python -m submission.validate` writes one into each run's folder")
    print("\n".join(table_of([json.loads(path.read_text(encoding="utf-8")) for path in options.validations])))


if __name__ == "__main__":
    main()
