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
_MARKS = {"better": "*", "worse": "*", "not told apart": " ", "the same": " "}
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


def difference_table(found: dict) -> Table:
    """b minus a per domain, from `compare.json`'s content."""
    names = [found[run]["name"] for run in ("a", "b")]
    table = Table(title=f"b ({names[1]}) minus a ({names[0]}), 95 % intervals", title_justify="left")
    table.add_column("domain", overflow="fold", min_width=len("mean of domains"))
    for heading in ("mMP@5\na", "b", "b - a", "interval", "ahead", "R@1\nb - a", "mAP@100\nb - a"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("b is", no_wrap=True)
    rows = {**found["per_domain"], "mean of domains": found["mean"]}
    for number, (name, scores) in enumerate(rows.items(), 1):
        main = scores["mMP@5"]
        others = [f"{scores[key]['difference']:+.3f}{_MARKS[scores[key]['verdict']]}" for key in ("R@1", "mAP@100")]
        interval = f"{main['low']:+.3f} .. {main['high']:+.3f}"
        cells = (f"{main['a']:.3f}", f"{main['b']:.3f}", f"{main['difference']:+.3f}", interval)
        share = f"{100 * main['share_better']:.0f} %"
        if number == len(rows):
            table.add_section()
        style = "bold" if number == len(rows) else None
        table.add_row(name, *cells, share, *others, main["verdict"], style=style)
    table.caption = "* interval beside zero; by chance alone one domain in twenty has it so: read the mean first"
    return table


def verdict_table(export: dict, zip_path: str) -> Table:
    """Contract and budget from `export.json`'s content, and where the zip is."""
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("contract", describe_checks(export["checks"]))
    table.add_row("host", describe_host(export["checks"]))
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


def describe_host(checks: list[dict]) -> str:
    """Whether the file was run in the host's own PyTorch.

    >>> describe_host([{"name": "host runtime", "ok": None, "detail": "no torch 1.11 here"}])
    'not proven on torch 1.11: no torch 1.11 here'
    >>> describe_host([{"name": "host runtime", "ok": True, "detail": "torch 1.11.0, 5 pictures"}])
    'proven: torch 1.11.0, 5 pictures'
    """
    found = next((check for check in checks if check["name"] == "host runtime"), {})
    said = found.get("detail", "the export does not say")
    return f"proven: {said}" if found.get("ok") is True else f"not proven on torch 1.11: {said}"


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
