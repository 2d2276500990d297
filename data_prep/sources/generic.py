"""The two readers for data sets the project has never heard of: `reader:` and `options:` in a mixture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError

from data_prep.sources import class_folders, table
from data_prep.sources.source import Source


@dataclass(frozen=True)
class GenericReader:
    """A reader and what it may be told."""

    options: type[BaseModel]
    read_rows: Callable[[Path, Any], pl.DataFrame]


GENERIC_READERS = {
    "class_folders": GenericReader(class_folders.ClassFoldersOptions, class_folders.read_rows),
    "table": GenericReader(table.TableOptions, table.read_rows),
}


def option_problems(reader: str, options: Mapping[str, object]) -> list[str]:
    """What is wrong with the options of a reader, a line a problem; empty when nothing is."""
    model = GENERIC_READERS[reader].options
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        return [_line(problem, model) for problem in error.errors()]
    return []


def generic_source(key: str, domain: str, raw_dir: str, reader: str, options: Mapping[str, object]) -> Source:
    """A Source whose rows are read by a generic reader."""
    chosen = GENERIC_READERS[reader]
    return Source(
        key=key,
        domain=domain,
        title=key,
        licence="as given by its owner",
        homepage="",
        fetch=f"put the data set of the mixture's source {key!r} there",
        raw_dir=raw_dir,
        read_rows=partial(chosen.read_rows, options=chosen.options.model_validate(dict(options))),
        fetch_plan=None,
    )


def _line(problem: Mapping, model: type[BaseModel]) -> str:
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown option {name!r}; known: {', '.join(model.model_fields)}"
    if problem["type"] == "missing":
        return f"option {name!r} is required, but not given"
    return f"option {name!r}: {problem['msg']}, got {problem['input']!r}"
