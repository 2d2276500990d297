"""What benchmarks share: a section of RESULTS.md written in place of the one before, and the peak memory of a step."""

import datetime
import platform
from collections.abc import Callable
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
