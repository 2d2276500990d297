"""What benchmarks share: sections and tables of RESULTS.md, ratios of interleaved rounds, memory, missed limits."""

import datetime
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data_prep.workers import usable_cpus

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(heading: str, command: str, lines: list[str], results: Path = RESULTS) -> None:
    """Put `lines` under `## heading`, with the command, this machine and the date, in place of what was there."""
    machine = f"{usable_cpus()} cores, {platform.machine()}, Python {platform.python_version()}"
    title = f"## {heading}"
    section = "\n".join([title, "", f"`{command}`, {machine}, {datetime.date.today().isoformat()}:", "", *lines, ""])
    before, _, rest = results.read_text(encoding="utf-8").partition(title + "\n")
    after = rest[rest.index("\n## ") + 1 :] if "\n## " in rest else ""
    results.write_text(before.rstrip() + "\n\n" + section + ("\n" + after if after else ""), encoding="utf-8")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a markdown table."""
    return ["| " + " | ".join(line) + " |" for line in (columns, ["---"] * len(columns), *rows)]


def put_table(path: Path, heading: str, lines: list[str]) -> None:
    """Replace the first table between `heading` and the next heading of `path`; what else is there stays.

    A section without a table gets it at its end.

    Raises:
        SystemExit: no such heading.
    """
    text = path.read_text(encoding="utf-8").splitlines()
    if heading not in text:
        raise SystemExit(f"error: {path}: no line {heading!r}")
    start = text.index(heading) + 1
    end = next((i for i in range(start, len(text)) if text[i].startswith("## ")), len(text))
    first = next((i for i in range(start, end) if text[i].startswith("|")), None)
    if first is None:
        while not text[end - 1].strip():
            end -= 1
        before, after, lines = text[:end], text[end:], ["", *lines]
    else:
        last = next((i for i in range(first, end) if not text[i].startswith("|")), end)
        before, after = text[:first], text[last:]
    path.write_text("\n".join([*before, *lines, *after]) + "\n", encoding="utf-8")


def times_longer(
    seconds: Mapping[str, Sequence[tuple[float, float]]], name: str, other: str, clock: int
) -> float:
    """How many times longer `other` takes than `name`: the median over rounds that were taken in turns.

    Args:
        seconds: name -> (wall, CPU) of each round.
        clock: 0 wall, 1 CPU.
    """
    return statistics.median(theirs[clock] / own[clock] for own, theirs in zip(seconds[name], seconds[other]))


def report_missed(missed: Sequence[str]) -> int:
    """Say which limits were missed; the exit status."""
    for problem in missed:
        print(f"missed: {problem}", file=sys.stderr)
    return 1 if missed else 0


def peak_mb_of(step: Callable[[], object]) -> float:
    """MB that the process holds at most while `step` runs, above what it held before. Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again at what is held now
    before = _status_kb("VmRSS")
    kept = step()
    peak = _status_kb("VmHWM")
    del kept
    return (peak - before) / 1000


def process_peak_mb() -> float:
    """The most MB that this process has held so far. Linux only."""
    return _status_kb("VmHWM") / 1000


def _status_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)
