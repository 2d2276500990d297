"""(source, class_key) -> class id. The only maker of ids: nobody adds to an id or offsets one."""

from dataclasses import dataclass

import polars as pl

from data_prep.catalogue import ACCEPTED
from data_prep.errors import ConfigError
from data_prep.manifest import ClassEntry


@dataclass(frozen=True)
class Labels:
    """The classes of a mixture, numbered 0 .. n-1 in the order of (source, class_key)."""

    entries: tuple[ClassEntry, ...]
    _ids: dict[tuple[str, str], int]

    def id_of(self, source: str, class_key: str) -> int:
        """The id of a class.

        Raises:
            ConfigError: no accepted image carries that label.
        """
        if (source, class_key) not in self._ids:
            n_known = sum(name == source for name, _ in self._ids)
            raise ConfigError(
                f"{source}: no accepted image of class {class_key!r}; classes with images: {n_known}"
            )
        return self._ids[source, class_key]

    def table(self) -> pl.DataFrame:
        """source, class_key, class_id (Int64): a row a class, in the order of the ids."""
        rows = [(entry.source, entry.class_key, entry.class_id) for entry in self.entries]
        return pl.DataFrame(rows, {"source": pl.String, "class_key": pl.String, "class_id": pl.Int64}, orient="row")


def number_classes(catalogue: pl.DataFrame) -> Labels:
    """Number every class that has an accepted image; keys are compared as text, so '10' comes before '9'."""
    classes = (
        catalogue.filter(ACCEPTED)
        .group_by("source", "domain", "class_key", "split")
        .agg(n_images=pl.len())
        .sort("source", "class_key", "split")
    )
    entries = tuple(ClassEntry(class_id=number, **row) for number, row in enumerate(classes.to_dicts()))
    return Labels(entries, {(entry.source, entry.class_key): entry.class_id for entry in entries})
