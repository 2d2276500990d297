"""DATASETS.md, written from the table of known data sets: terms, where to get each, layout, counts."""

import importlib
import inspect

from data_prep.sources import SOURCES
from data_prep.sources.expected_counts import EXPECTED_COUNTS, Count
from data_prep.sources.source import Source

INTRODUCTION = """# Data sets

{n} data sets are read in the layout they are published in. This file is written by
`data_prep.sources.datasheet`; a test fails when it is not current. Terms are a reminder, not advice: read those
of the copy you fetch. Pictures and classes are those of the complete data set, where its authors or a count of
its lists say so.
"""


def datasheet() -> str:
    """The whole text of DATASETS.md."""
    sources = sorted(SOURCES.values(), key=lambda source: (source.domain, source.key))
    table = ["| domain | `source:` | data set | pictures / classes | terms |", "|---|---|---|---|---|"]
    table += [
        f"| {source.domain} | [`{source.key}`](#{source.key}) | {source.title} | {_counts(source.key, '<br>')} | "
        f"{source.licence} |"
        for source in sources
    ]
    parts = [INTRODUCTION.format(n=len(sources)), "\n".join(table), *map(_section, sources)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _section(source: Source) -> str:
    return f"""<a id="{source.key}"></a>
## {source.title}

{_docstring(source.key)}

- key: `{source.key}`, domain: {source.domain}
- pictures / classes: {_counts(source.key, "; ")}
- terms: {source.licence}
- home page: <{source.homepage}>
- folder below the raw root: `{source.raw_dir}/`
- to get it: {source.fetch}
"""


def _docstring(key: str) -> str:
    """The head of the reader's file, which is named after the key."""
    return inspect.getdoc(importlib.import_module(f"data_prep.sources.{key}")) or ""


def _counts(key: str, separator: str) -> str:
    return separator.join(map(_count, EXPECTED_COUNTS.get(key, ()))) or "not confirmed"


def _count(count: Count) -> str:
    numbers = ("?" if number is None else f"{number:,}" for number in (count.n_rows, count.n_classes))
    return f"{count.part} {' / '.join(numbers)}"
