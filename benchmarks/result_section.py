"""One section of benchmarks/RESULTS.md, written by the benchmark that measured it."""

import os
import platform
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(title: str, text: str, path: Path = RESULTS) -> None:
    """Put `text` under `## title`, in place of what was there; a new section goes to the end."""
    whole = path.read_text(encoding="utf-8")
    heading, section = f"## {title}\n", f"## {title}\n\n{text.strip()}\n"
    if heading in whole:
        before, _, rest = whole.partition(heading)
        following = rest.find("\n## ")
        whole = before + section + ("" if following < 0 else rest[following:])
    else:
        whole = whole.rstrip("\n") + "\n\n" + section
    path.write_text(whole, encoding="utf-8")


def machine() -> str:
    """What a table was measured on, and how busy that was."""
    import torch

    load = os.getloadavg()[0]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (f"{date.today()}, {len(os.sched_getaffinity(0))} cores{gpu}, Python {platform.python_version()}, "
            f"PyTorch {torch.__version__}, load of the machine at the end {load:.1f}")


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
