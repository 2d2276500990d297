"""`manifest.json`: what a folder of shards holds. Written last, so a folder without it is unfinished."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_bytes
from data_prep.storage import Location, is_url, join, open_to_read, writing_whole

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ClassEntry:
    """A class and where it went; `class_id` is unique over the whole mixture."""

    class_id: int
    source: str
    domain: str
    class_key: str
    split: str
    n_images: int


@dataclass(frozen=True)
class ShardEntry:
    """A tar file; `path` is relative to the manifest's folder."""

    path: str
    split: str
    source: str
    domain: str
    n_samples: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All that is known of a packed mixture without opening a shard.

    Attributes:
        mixture: the resolved mixture config; it can be built again as it stands.
        versions: of the packages that decide the bytes.
        classes: sorted by class id.
        shards: sorted by split (train, val, test), source, number.
        repeat_to_by_source: images a train class is repeated up to when read; sources without a floor are
            absent.
        rejects: {reason: rows}.
        counts: {source: {step: {"images": n, "classes": n}}}, steps in order.
        input_files: {file as the mixture names it: sha256} of leak guards and label scores, which decide what is in.
        sha256: of the manifest file itself; '' before it is written.
    """

    mixture: dict
    versions: dict[str, str]
    classes: list[ClassEntry]
    shards: list[ShardEntry]
    repeat_to_by_source: dict[str, int]
    rejects: dict[str, int]
    counts: dict[str, dict[str, dict[str, int]]]
    input_files: dict[str, str] = field(default_factory=dict)
    sha256: str = ""


def load_manifest(shards_dir: Location) -> Manifest:
    """Read the manifest of a packed mixture, in a folder or behind a URL.

    Raises:
        ConfigError: no manifest (the build did not finish), not JSON, another format, or missing keys.
    """
    path = join(shards_dir, MANIFEST_NAME)
    try:
        with open_to_read(path) as stream:
            content = stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise ConfigError(
            f"{path}: not there{_probably_meant(shards_dir)}; the shards are not built, or the build did not finish "
            "(make data)"
        ) from None
    try:
        tree = json.loads(content)
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(tree, dict) or tree.get("format_version") != FORMAT_VERSION:
        got = tree.get("format_version") if isinstance(tree, dict) else type(tree).__name__
        raise ConfigError(
            f"{path}: format_version is {got!r}, expected {FORMAT_VERSION}; build the shards again"
        )
    try:
        return Manifest(
            classes=[ClassEntry(**entry) for entry in tree.pop("classes")],
            shards=[ShardEntry(**entry) for entry in tree.pop("shards")],
            sha256=sha256_of_bytes(content),
            **{key: value for key, value in tree.items() if key != "format_version"},
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path}: a key is missing or unknown: {error}; build the shards again") from error


def _probably_meant(shards_dir: Location) -> str:
    """Finished builds inside the folder that was given, or of that name in `shards/`; empty where there are none."""
    if is_url(shards_dir):
        return ""
    folder = Path(shards_dir)
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [other for other in (*inside, Path("shards") / folder.name) if (other / MANIFEST_NAME).is_file()]
    return f", did you mean {' or '.join(str(other) for other in found[:3])}?" if found else ""


def save_manifest(manifest: Manifest, shards_dir: Location) -> Location:
    """Write `manifest.json` (atomically; the same manifest gives the same bytes) and return its path."""
    tree = {"format_version": FORMAT_VERSION, **asdict(manifest)}
    del tree["sha256"]
    path = join(shards_dir, MANIFEST_NAME)
    with writing_whole(path) as unfinished_path:
        unfinished_path.write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
