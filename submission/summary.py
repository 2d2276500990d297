"""The short tables that run files print at the end."""

import sys

from rich.console import Console
from rich.table import Table

BASELINE_TITLES = {"off_the_shelf": "off the shelf", "pca_whitened_64": "PCA-whitened 64-D"}
_HEADINGS = (
    "before:\noff the\nshelf",
    "before:\nwhitened\nPCA 64-D",
    "after:\ntrained\n64-D",
    "gain",
    "queries",
    "index",
)
_WIDTH_IN_A_LOG = 110  # columns; where no terminal says how many it has


def print_tables(*tables: Table) -> None:
    """Tables on stdout, as wide as the terminal; in a file or pipe they are not cut to rich's 80 columns."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_IN_A_LOG)
    for table in tables:
        console.print(table)


def score_table(validation: dict) -> Table:
    """mMP@5 per domain, baselines before and model after training, from `validation.json`'s content."""
    low, high = validation["interval_95"]
    title = f"mMP@5 of the exported file, 95 % interval {low:.3f} .. {high:.3f}"
    table = Table(title=title, title_justify="left")
    # The column that gives way on a narrow terminal, but not until it is gone.
    table.add_column("domain", overflow="fold", min_width=10)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for domain, scores in validation["per_domain"].items():
        before = [_domain_score(validation, name, domain) for name in BASELINE_TITLES]
        table.add_row(domain, *_cells(before, scores["mMP@5"]), str(scores["n_queries"]), str(scores["n_index"]))
    table.add_section()
    before = [(validation["baselines"].get(name) or {}).get("mMP@5") for name in BASELINE_TITLES]
    counts = (str(validation["n_queries"]), str(validation["n_index"]))
    table.add_row("mean of domains", *_cells(before, validation["mMP@5"]), *counts, style="bold")
    return table


def verdict_table(export: dict, zip_path: str) -> Table:
    """Contract and budget from `export.json`'s content, and where the zip is."""
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("contract", describe_checks(export["checks"]))
    table.add_row("budget", describe_budget(export.get("budget") or {}))
    table.add_row("model", f"sha256 {export['model_sha256'][:16]}")
    table.add_row("zip", zip_path)
    return table


def describe_checks(checks: list[dict]) -> str:
    """How many checks passed, and which were not made.

    >>> describe_checks([{"name": "loads", "ok": True}, {"name": "host runtime", "ok": None}])
    '1 of 2 checks passed; not run: host runtime'
    """
    passed, open_ = (
        sum(check["ok"] is True for check in checks),
        [c["name"] for c in checks if c["ok"] is None],
    )
    return f"{passed} of {len(checks)} checks passed" + (f"; not run: {', '.join(open_)}" if open_ else "")


def describe_budget(budget: dict) -> str:
    """One line of the P100 budget.

    >>> describe_budget({"verdict": "fits", "low_hours": 1.25, "high_hours": 2.5, "limit_hours": 9.0,
    ...                  "memory_gib": 0.94, "limit_memory_gib": 16.0})
    'fits: 1.2 to 2.5 of 9 hours, 0.9 of 16 GiB (modelled for the P100)'
    >>> describe_budget({})
    'unknown'
    """
    if "low_hours" not in budget:
        return budget.get("verdict", "unknown")
    hours = f"{budget['low_hours']:.1f} to {budget['high_hours']:.1f} of {budget['limit_hours']:.0f} hours"
    memory = f"{budget['memory_gib']:.1f} of {budget['limit_memory_gib']:.0f} GiB"
    return f"{budget['verdict']}: {hours}, {memory} ({budget.get('basis', 'modelled')} for the P100)"


def _domain_score(validation: dict, name: str, domain: str) -> float | None:
    baseline = validation["baselines"].get(name)
    return baseline["per_domain"][domain]["mMP@5"] if baseline else None


def _cells(before: list[float | None], after: float) -> list[str]:
    """Baselines, the model, and its gain over the better baseline."""
    known = [score for score in before if score is not None]
    gain = f"{after - max(known):+.3f}" if known else "-"
    return ["-" if score is None else f"{score:.3f}" for score in before] + [f"{after:.3f}", gain]
