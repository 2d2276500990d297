"""Tables of RESULTS.md that a benchmark writes by itself: the first Markdown table under a heading is replaced."""

from pathlib import Path


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
