"""DATASETS.md, written from the table of known data sets: terms, where to get each, layout, counts."""

import importlib
import inspect

from data_prep.sources import SOURCES
from data_prep.sources.expected_counts import EXPECTED_COUNTS, Count
from data_prep.sources.source import ByRequest, FetchPlan, KaggleCompetition, KaggleDataset, Source, Urls

INTRODUCTION = """# Data sets

{n} data sets are read in the layout they are published in. This file is written by
`data_prep.sources.datasheet`; a test fails when it is not current. Terms are a reminder, not advice: read those
of the copy you fetch. Pictures and classes are those of the complete data set, where its authors or a count of
its lists say so. What is fetched by request has to be asked for, or fetched by hand; the command then says
where, and unpacks what it knows.
"""
ORIGIN_OF_PLAN = {
    KaggleCompetition: "Kaggle competition", KaggleDataset: "Kaggle data set", Urls: "web addresses",
    ByRequest: "by request",
}


def datasheet() -> str:
    """The whole text of DATASETS.md."""
    sources = sorted(SOURCES.values(), key=lambda source: (source.domain, source.key))
    table = ["| domain | `source:` | data set | pictures / classes | fetched | terms |", "|---|---|---|---|---|---|"]
    table += [
        f"| {source.domain} | [`{source.key}`](#{source.key}) | {source.title} | {_counts(source.key, '<br>')} | "
        f"{ORIGIN_OF_PLAN[type(source.fetch_plan)]} | {source.licence} |"
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
- `python -m data_prep.fetch {source.key}`: {_how_fetched(source.fetch_plan)}
- by hand: {source.fetch}
"""


def _how_fetched(plan: FetchPlan) -> str:
    """What the fetch command does, in a line."""
    match plan:
        case KaggleCompetition():
            return f"Kaggle competition `{plan.name}`; accept its rules on its web page first"
        case KaggleDataset():
            return f"Kaggle data set `{plan.name}`"
        case Urls():
            return f"{_size(plan)} over HTTP; {_checksums(plan)}"
        case ByRequest():
            packed = f" and unpacks {', '.join(f'`{archive.name}`' for archive in plan.archives)}"
            return f"by request; it says where to ask{packed if plan.archives else ''}"


def _size(plan: Urls) -> str:
    sizes = [file.size_bytes for file in plan.files]
    files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
    return files if None in sizes else f"{files} ({sum(sizes) / 1e9:.1f} GB)"


def _checksums(plan: Urls) -> str:
    n_known = sum(bool(file.sha256 or file.md5 or file.md5_url) for file in plan.files)
    if n_known == len(plan.files):
        return "checked by checksum"
    return f"{n_known} of them checked by checksum" if n_known else "no checksum is known"


def _docstring(key: str) -> str:
    """The head of the reader's file, which is named after the key."""
    return inspect.getdoc(importlib.import_module(f"data_prep.sources.{key}")) or ""


def _counts(key: str, separator: str) -> str:
    return separator.join(map(_count, EXPECTED_COUNTS.get(key, ()))) or "not confirmed"


def _count(count: Count) -> str:
    numbers = ("?" if number is None else f"{number:,}" for number in (count.n_rows, count.n_classes))
    return f"{count.part} {' / '.join(numbers)}"
