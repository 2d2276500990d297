"""Whose shards lie in a folder: the mixture's settings, noted before the first shard."""

import json

from data_prep.errors import ConfigError
from data_prep.files import writing_atomically
from data_prep.manifest import MANIFEST_NAME, load_manifest
from data_prep.mixture import MixtureConfig
from data_prep.shard_plan import Folders
from data_prep.storage import join, size_of

SETTINGS_NAME = "settings.json"  # in the build folder; counts while there is no manifest yet


def refuse_other_settings(folders: Folders, config: MixtureConfig) -> None:
    """Raise ConfigError if the folder holds shards, finished or not, of other settings."""
    theirs = _settings_there(folders)
    different = [] if theirs is None else _different_keys(theirs, config.model_dump(mode="json"))
    if different:
        raise ConfigError(
            f"{folders.shards_dir}: built with other settings ({'; '.join(different)}); give the mixture another "
            "name, delete the folder, or say --replace"
        )


def save_settings(folders: Folders, config: MixtureConfig) -> None:
    """Note whose shards will lie here."""
    with writing_atomically(folders.build_dir / SETTINGS_NAME) as unfinished_path:
        unfinished_path.write_text(json.dumps(config.model_dump(mode="json"), indent=1), encoding="utf-8")


def _settings_there(folders: Folders) -> dict | None:
    path = folders.build_dir / SETTINGS_NAME
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if size_of(join(folders.shards_dir, MANIFEST_NAME)) is not None:
        return load_manifest(folders.shards_dir).mixture
    return None


def _different_keys(theirs: object, ours: object, where: str = "") -> list[str]:
    """`image_px: 160 there, 224 asked for` for each value that differs."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        keys = sorted(theirs.keys() | ours.keys())
        pairs = [(theirs.get(key), ours.get(key), f"{where}.{key}".lstrip(".")) for key in keys]
        return [line for pair in pairs for line in _different_keys(*pair)]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(theirs[n], ours[n], f"{where}.{n}") for n in range(len(ours))]
        return [line for pair in pairs for line in _different_keys(*pair)]
    return [] if theirs == ours else [f"{where}: {theirs!r} there, {ours!r} asked for"]
