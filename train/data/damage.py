"""Which train samples are no longer what was packed: found before a training starts, named, left out of its plan.

Leaving out before batches are planned, and not when a worker stumbles over a picture, makes the plan the same for every
process, and for a run that goes on after an interruption: it reads the list that the first attempt wrote.
"""

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file, writing_atomically
from data_prep.manifest import ShardEntry, load_manifest
from data_prep.progress import progress_bar
from data_prep.workers import usable_cpus
from train.data.readers import index_shard


def find_damage(shards_dir: Path, split: str = "train") -> list[dict]:
    """Rows {shard, key, n_samples, reason}, by shard and place in it; key "" is a whole shard.

    Every shard is read once and its sha256 compared with the manifest's. In a shard that differs every picture is
    decoded. A shard that is missing, cut short or cannot be listed is damaged as a whole.
    """
    shards = [shard for shard in load_manifest(shards_dir).shards if shard.split == split]
    rows: list[dict] = []
    with progress_bar(len(shards), f"checking shards ({split})", "shard") as progress, \
            ThreadPoolExecutor(usable_cpus()) as pool:
        for found in pool.map(partial(_damage_of, Path(shards_dir)), shards):
            rows += found
            progress.update()
    return rows


def _damage_of(shards_dir: Path, shard: ShardEntry) -> list[dict]:
    path = shards_dir / shard.path
    if path.is_file() and path.stat().st_size == shard.size_bytes and sha256_of_file(path) == shard.sha256:
        return []
    try:
        found = index_shard(shards_dir, shard)
    except ConfigError as error:
        return [{"shard": shard.path, "key": "", "n_samples": shard.n_samples, "reason": str(error).partition(";")[0]}]
    rows = []
    with open(path, "rb") as stream:
        for meta, offset, size in found:
            stream.seek(offset)
            reason = _why_unreadable(stream.read(size))
            if reason is not None:
                rows.append({"shard": shard.path, "key": meta["key"], "n_samples": 1, "reason": reason})
    return rows


def _why_unreadable(jpeg: bytes) -> str | None:
    """Strictly: OpenCV, which decodes for training, fills what is missing of a cut picture with grey."""
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return str(error)
    return None


def known_damage(shards_dir: Path, path: Path) -> list[dict]:
    """The rows of `path`, or those found now, which are then written there."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    rows = find_damage(shards_dir)
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def describe_damage(rows: Sequence[dict], path: Path) -> str:
    """One line: how many samples are left out, of which shards, and where all are named."""
    n_samples = sum(row["n_samples"] for row in rows)
    if not n_samples:
        return "no damaged train sample"
    shards = sorted({row["shard"] for row in rows})
    more = f" and {len(shards) - 3} more" if len(shards) > 3 else ""
    return f"{n_samples} damaged train sample(s) left out, in {', '.join(shards[:3])}{more}; each is named in {path}"


def left_out_of(rows: Sequence[dict]) -> frozenset[tuple[str, str]]:
    """What `ShardReader` takes."""
    return frozenset((row["shard"], row["key"]) for row in rows)
