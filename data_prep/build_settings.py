"""Whose shards lie in a folder: the mixture's settings and the files that decide with them, noted before the first."""

import json
from collections.abc import Mapping
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from data_prep.manifest import MANIFEST_NAME, load_manifest
from data_prep.mixture import MixtureConfig
from data_prep.shard_plan import Folders
from data_prep.storage import join, size_of

SETTINGS_NAME = "settings.json"  # in the build folder; counts while there is no manifest yet
_INPUT_FILES = "input_files"  # its key there; the other keys are the mixture's


def hash_input_files(config: MixtureConfig, raw_root: Path) -> dict[str, str]:
    """{file as the mixture names it: sha256} of leak guards and label scores; the steps complain of missing ones."""
    scores = {s.label_scores.file for s in config.sources if s.label_scores is not None}
    paths = {name: Path(name) for name in config.leak_guard or ()} | {name: raw_root / name for name in scores}
    return {name: sha256_of_file(path) for name, path in sorted(paths.items()) if path.is_file()}


def refuse_other_settings(folders: Folders, config: MixtureConfig, input_files: Mapping[str, str]) -> None:
    """Raise ConfigError if the folder holds shards, finished or not, of other settings or other input files."""
    theirs, their_files = _settings_there(folders)
    different = [] if theirs is None else _different_keys(theirs, config.model_dump(mode="json"))
    different += [
        f"{name} has changed: sha256 {their_files[name][:12]}... there, {sha256[:12]}... now"
        for name, sha256 in input_files.items()
        if their_files.get(name, sha256) != sha256
    ]
    if different:
        raise ConfigError(
            f"{folders.shards_dir}: built with other settings ({'; '.join(different)}); give the mixture another "
            "name, delete the folder, or say --replace"
        )


def save_settings(folders: Folders, config: MixtureConfig, input_files: Mapping[str, str]) -> None:
    """Note whose shards will lie here."""
    tree = config.model_dump(mode="json") | {_INPUT_FILES: dict(input_files)}
    with writing_atomically(folders.build_dir / SETTINGS_NAME) as unfinished_path:
        unfinished_path.write_text(json.dumps(tree, indent=1), encoding="utf-8")


def _settings_there(folders: Folders) -> tuple[dict | None, dict[str, str]]:
    """The mixture, None where nothing was built, and the hashes of its input files as far as they were noted."""
    path = folders.build_dir / SETTINGS_NAME
    if path.is_file():
        tree = json.loads(path.read_text(encoding="utf-8"))
        return tree, tree.pop(_INPUT_FILES, {})
    if size_of(join(folders.shards_dir, MANIFEST_NAME)) is not None:
        manifest = load_manifest(folders.shards_dir)
        return manifest.mixture, manifest.input_files
    return None, {}


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
