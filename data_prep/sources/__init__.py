"""The known data sets: `SOURCES[key]`."""

from data_prep.sources.source import Source

SOURCES: dict[str, Source] = {}
