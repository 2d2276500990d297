"""UnED's own split of a data set: the lists of its `info_files.zip`, where the user has put them.

`<data set>/info_files/{train,val,test}.json`, and `index.json` for sets with their own index, copied from
`info_files/<set>/` of the zip: lists of {"path": "rp2k/all/test/...", "class_id": 7}; some landmark queries have
a list of class ids, any of which is right. Where there, the lists are the only authority: test sets of Food2K
and RP2K were thinned and cannot be worked out again from the pictures. The Met is not read by its lists: its
index is its train set, and here no class lies in two splits.
"""

import json
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import mark_missing_files, require_file
from data_prep.sources.source import source_rows

FOLDER = "info_files"
FETCH = "http://cmp.felk.cvut.cz/univ_emb/info_files.zip: the folder of this data set, put there as info_files/"


def has_uned_lists(folder: Path) -> bool:
    """Whether the user asks for UnED's split of the data set in this folder."""
    return (folder / FOLDER).is_dir()


def read_uned_lists(folder: Path, prefix: str, what: str) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of the lists. Class keys are class ids.

    Val images ask and answer, and so do test images, unless there is an index: then they only ask.

    Args:
        prefix: what UnED's paths start with before the path inside this folder, such as 'rp2k/'.

    Raises:
        ConfigError: a missing or unreadable list, or paths of another data set.
    """
    index = folder / FOLDER / "index.json"
    roles = {"train": "", "val": "both", "test": "query" if index.is_file() else "both", "index": "index"}
    parts = []
    for name in ("train", "val", "test", *(["index"] if index.is_file() else [])):
        path = require_file(folder / FOLDER / f"{name}.json", what, FETCH)
        try:
            entries = [(entry["path"], _labels(entry["class_id"])) for entry in json.loads(path.read_text("utf-8"))]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{what}: {path}: expected a list of path and class_id, got {error!r}") from error
        strangers = [image for image, _ in entries if not image.startswith(prefix)]
        if strangers:
            raise ConfigError(f"{what}: {path}: got {strangers[0]!r}, expected paths that start with {prefix!r}")
        paths = [_on_disk(folder, image.removeprefix(prefix)) for image, _ in entries]
        labels = [found for _, found in entries]
        split = "test" if name == "index" else name
        keys, more = [found[0] for found in labels], [found[1:] for found in labels]
        parts.append(source_rows(keys, paths, split, roles[name], more))
    return mark_missing_files(pl.concat(parts), folder)


def escaped(name: str) -> str:
    """A name as unzip writes it outside a UTF-8 locale: what is not ASCII as #U and four hex digits.

    >>> escaped("a茶")
    'a#U8336'
    """
    return "".join(char if char.isascii() else f"#U{ord(char):04x}" for char in name)


def _labels(class_id: int | list[int]) -> list[str]:
    found = [str(number) for number in (class_id if isinstance(class_id, list) else [class_id])]
    if not found:
        raise ValueError("an empty list of class ids")
    return found


def _on_disk(folder: Path, path: str) -> str:
    """The listed name, or the escaped one where only that exists."""
    other = escaped(path)
    return other if not (folder / path).is_file() and (folder / other).is_file() else path
