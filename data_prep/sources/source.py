"""What a data set tells the project about itself, and the form in which it lists its images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_prep.catalogue import CATALOGUE_SCHEMA

ROW_COLUMNS = ("class_key", "more_class_keys", "path", "split", "role", "reject_reason", "reject_detail")
ROW_SCHEMA = {name: CATALOGUE_SCHEMA[name] for name in ROW_COLUMNS}
# Left, upper, right and lower edge in pixels of the upright picture, 0 at its left and upper edge; null: no box. The
# path is that of the file and may come several times.
BOX_SCHEMA = {**ROW_SCHEMA, "box": pl.List(pl.Float64)}
MISSING_FILE = "missing file"  # the reject reason of an annotation row whose image is not on disk


@dataclass(frozen=True)
class Packed:
    """An archive of a known name: inside another one, or brought by a person.

    Attributes:
        name: the file's name.
        into: folder below the raw folder where what is inside it belongs.
        root_has: see `RemoteFile`.
    """

    name: str
    into: str = "."
    root_has: tuple[str, ...] = ()


@dataclass(frozen=True)
class KaggleCompetition:
    """All files of a competition; the account must have accepted its rules on the web page.

    Attributes:
        name: as in kaggle.com/c/<name>.
        inner_archives: archives inside the archive; one that has been unpacked by the sender is no error.
    """

    name: str
    inner_archives: tuple[Packed, ...] = ()


@dataclass(frozen=True)
class KaggleDataset:
    """A data set by its `owner/name`, or `owner/name/<number>` to pin a version.

    Attributes:
        root_has: see `RemoteFile`.
    """

    name: str
    root_has: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemoteFile:
    """One file behind a plain address; an archive is unpacked and then deleted.

    Attributes:
        url: http or https.
        into: folder below the raw folder where it, or what is inside it, belongs.
        root_has: glob patterns, relative to the folder of an archive whose content belongs into `into`. Folders
            around that one are left out, whatever they are called: ("meta",) takes `food-101/meta/` for `meta/`.
        size_bytes: where it is known.
        sha256, md5: hex digest, where one is published.
        md5_url: address of a text file whose first word is the md5.
    """

    url: str
    into: str = "."
    root_has: tuple[str, ...] = ()
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    md5_url: str | None = None


@dataclass(frozen=True)
class Urls:
    """Files that anybody may fetch, in this order."""

    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class ByRequest:
    """A data set that a person has to ask for, or to fetch by hand.

    Attributes:
        ask: where and how, and what has to lie in the raw folder then.
        archives: what may be left packed there.
    """

    ask: str
    archives: tuple[Packed, ...] = ()


FetchPlan = KaggleCompetition | KaggleDataset | Urls | ByRequest


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        key: name in mixtures, shard names and sample keys; lower-case letters, digits and underscores.
        domain: what kind of thing it shows; scores are averaged over domains.
        title: the data set's own name.
        licence: terms in a few words, for the report.
        homepage: where a person reads about it.
        fetch: how to get it, for the error that says it is not there.
        fetch_plan: the same for `data_prep.fetch`; None only for a folder of the user's own, read by a generic
            reader.
        raw_dir: its folder under the raw root, unless the mixture names another.
        read_rows: folder -> frame with ROW_SCHEMA's columns, paths relative to the folder. Raises ConfigError
            for a missing folder or annotation file; an annotated image without its file is a row with
            `reject_reason` MISSING_FILE. `split` and `role` are '' where the data set has no official split.
        read_boxes: the same with a row for each annotated box, which `box` holds (BOX_SCHEMA); for data sets that have
            boxes.
    """

    key: str
    domain: str
    title: str
    licence: str
    homepage: str
    fetch: str
    raw_dir: str
    read_rows: Callable[[Path], pl.DataFrame]
    fetch_plan: FetchPlan | None
    read_boxes: Callable[[Path], pl.DataFrame] | None = None


def source_rows(
    class_keys: Sequence[str],
    paths: Sequence[str],
    splits: Sequence[str] | str = "",
    roles: Sequence[str] | str = "",
    more_class_keys: Sequence[list[str]] | None = None,
) -> pl.DataFrame:
    """The frame `read_rows` returns, all rows accepted; one string for splits or roles holds for every row.

    >>> source_rows(["7", "7"], ["a.jpg", "b.jpg"], splits="test", roles=["query", "index"])["role"].to_list()
    ['query', 'index']
    """
    n = len(paths)
    columns = {
        "class_key": list(class_keys),
        "more_class_keys": [[] for _ in range(n)] if more_class_keys is None else list(more_class_keys),
        "path": list(paths),
        "split": [splits] * n if isinstance(splits, str) else list(splits),
        "role": [roles] * n if isinstance(roles, str) else list(roles),
        "reject_reason": [None] * n,
        "reject_detail": [None] * n,
    }
    return pl.DataFrame(columns, schema=ROW_SCHEMA)
