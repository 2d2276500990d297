"""Any data set that keeps a folder a class: `<class>/**/<image>`, or `<split folder>/<class>/**/<image>`."""

from pathlib import Path

import polars as pl
from pydantic import BaseModel

from data_prep.errors import ConfigError
from data_prep.sources.layouts import list_files, require_folder
from data_prep.sources.source import source_rows


class ClassFoldersOptions(BaseModel, extra="forbid", frozen=True):
    """`split_folders`: {folder: split} where class folders lie one level deeper, as in {training: train}."""

    split_folders: dict[str, str] = {}


def read_rows(folder: Path, options: ClassFoldersOptions) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of every file in every class folder; files beside the class folders are not read.

    The folder's name is the class key; folders below it belong to the same class. What is not an image
    becomes a reject in the decode check. Rows of split folders other than 'train' get the role 'both'.

    Raises:
        ConfigError: a missing folder, no class folder at all, or a class folder without any file.
    """
    class_keys, paths, splits = [], [], []
    for split_folder, split in (options.split_folders or {".": ""}).items():
        for class_folder in _class_folders(folder / split_folder):
            names = list_files(class_folder)
            if not names:
                raise ConfigError(f"{class_folder}: an empty class: the folder holds no file")
            inside = class_folder.relative_to(folder).as_posix()
            paths += [f"{inside}/{name}" for name in names]
            class_keys += [class_folder.name] * len(names)
            splits += [split] * len(names)
    roles = ["both" if split in ("val", "test") else "" for split in splits]
    return source_rows(class_keys, paths, splits, roles)


def read_split_folders(folder: Path, split_folders: dict[str, str], what: str, fetch: str) -> pl.DataFrame:
    """`read_rows` of a known data set: {folder: split}, and an error that says how to get what is missing."""
    for name in split_folders:
        require_folder(folder / name, what, fetch)
    return read_rows(folder, ClassFoldersOptions(split_folders=split_folders))


def _class_folders(folder: Path) -> list[Path]:
    require_folder(folder, "class folders")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ConfigError(f"{folder}: expected a folder for each class, found none")
    return found
