"""Manifest -> images at random access: which samples exist, and the bytes of any of them.

The order in which training meets its images is a plan made beforehand (`samplers.py`), so a reader only has to answer
"sample i": that is what lets an interrupted run go on at step k without replaying the steps before it.
"""

import copy
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.errors import ConfigError, unknown_name
from data_prep.manifest import Manifest, ShardEntry, load_manifest

REPAIR = ("build the shards again; a training with on_bad_shard=skip leaves out what is damaged of the train split and "
          "counts it")


@dataclass(frozen=True)
class SampleTable:
    """What is known of each sample without its pixels; row i of every array is sample i.

    `class_names` are `source/class_key`, the only identity of a class; `accepted` holds for each sample all class
    names that count as a match (one for most, several for some landmark queries); `sizes_px` float32 [N, 2] is height
    and width of the picture that the sample was packed from.
    """

    keys: np.ndarray
    sources: np.ndarray
    domains: np.ndarray
    class_names: np.ndarray
    accepted: tuple[tuple[str, ...], ...]
    roles: np.ndarray
    sizes_px: np.ndarray


class ShardReader:
    """The samples of one split of a packed mixture.

    Args:
        shards_dir: the folder that holds `manifest.json`.
        split: `train`, `val` or `test`.
        sources: keep only these; None keeps all.
        left_out: damaged (shard, key) that are not to be read; (shard, "") is all of a shard. See `damage.py`.

    Raises:
        ConfigError: no manifest, an unknown source or split, no samples left, a shard that is missing or cut short.
    """

    def __init__(
        self, shards_dir: Path, split: str, sources: tuple[str, ...] | None = None,
        left_out: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.shards_dir = Path(shards_dir)
        self.split = split
        self.manifest: Manifest = load_manifest(self.shards_dir)
        known = sorted({shard.source for shard in self.manifest.shards})
        for source in sources or ():
            if source not in known:
                raise unknown_name("source", source, known, str(self.shards_dir / "manifest.json"))
        splits = {shard.split for shard in self.manifest.shards}
        if split not in splits:
            raise unknown_name("split", split, splits, str(self.shards_dir))
        shards = [s for s in self.manifest.shards if s.split == split and (sources is None or s.source in sources)]
        shards = [shard for shard in shards if (shard.path, "") not in left_out]
        if not shards:
            raise ConfigError(f"{self.shards_dir}: no {split} samples" + (f" of {sources}" if sources else ""))
        self._locations: list[tuple[str, int, int]] = []
        metas: list[dict] = []
        for shard in shards:
            found = index_shard(self.shards_dir, shard)
            found = [one for one in found if (shard.path, one[0]["key"]) not in left_out]
            self._locations += [(shard.path, offset, size) for _, offset, size in found]
            metas += [meta for meta, _, _ in found]
        self.table = _table_of(metas)
        self._streams: dict[str, io.BufferedReader] = {}
        self.part_of: tuple[ShardReader, np.ndarray] | None = None  # see `only`

    def __len__(self) -> int:
        return len(self._locations)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_streams": {}, "part_of": None}  # open files do not travel to worker processes

    def only(self, sources: Sequence[str]) -> "ShardReader":
        """The samples of some sources in the same order, as a reader of these sources alone would list them.

        Its `part_of` says (this reader, row of each sample in it): features of this one are features of that one.
        """
        rows = np.flatnonzero(np.isin(self.table.sources, list(sources)))
        part = self.subset(rows)
        part.part_of = (self, rows)
        return part

    def subset(self, indices: np.ndarray) -> "ShardReader":
        """The same reader with only these samples."""
        some = copy.copy(self)
        some._locations = [self._locations[index] for index in indices]
        some.table = _rows_of(self.table, indices)
        some._streams, some.part_of = {}, None
        return some

    def jpeg_bytes(self, index: int) -> bytes:
        """The stored JPEG of sample `index`."""
        path, offset, size = self._locations[index]
        if path not in self._streams:
            self._streams[path] = open(self.shards_dir / path, "rb")  # noqa: SIM115 (kept open on purpose)
        stream = self._streams[path]
        stream.seek(offset)
        jpeg = stream.read(size)
        if len(jpeg) != size:
            raise self.damaged(index, f"the shard ends {size - len(jpeg)} bytes before the picture does")
        return jpeg

    def image(self, index: int) -> Image.Image:
        """Sample `index` as an RGB picture."""
        try:
            return rgb_by_pillow(self.jpeg_bytes(index))
        except OSError as error:
            raise self.damaged(index, str(error)) from error

    def damaged(self, index: int, reason: str) -> ConfigError:
        """The error for a picture that is not what was packed."""
        where = f"{self.shards_dir / self._locations[index][0]}, sample {self.table.keys[index]}"
        return ConfigError(f"{where}: damaged since it was packed: {reason}; {REPAIR}")


def rgb_by_pillow(jpeg: bytes) -> Image.Image:
    """The picture as Pillow reads it, which is more than libjpeg-turbo does alone; shards hold upright pictures.

    Raises:
        OSError: the bytes are no picture, or end too early.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.convert("RGB")


def _rows_of(table: SampleTable, rows: np.ndarray) -> SampleTable:
    columns = {field.name: getattr(table, field.name) for field in fields(table)}
    return SampleTable(**{name: column[rows] if isinstance(column, np.ndarray) else tuple(column[row] for row in rows)
                          for name, column in columns.items()})


def index_shard(shards_dir: Path, shard: ShardEntry) -> list[tuple[dict, int, int]]:
    """(metadata, offset of the JPEG, size of the JPEG) of each sample, in file order.

    Raises:
        ConfigError: a shard that is missing, cut short, or not what the manifest says.
    """
    found = _index_file(shards_dir / shard.path)
    if len(found) != shard.n_samples:
        raise ConfigError(f"{shards_dir / shard.path}: damaged shard: {len(found)} samples, the manifest says "
                          f"{shard.n_samples}; {REPAIR}")
    return found


def _index_file(path: Path) -> list[tuple[dict, int, int]]:
    if not path.is_file():
        raise ConfigError(f"{path}: the manifest names this shard, but the file is missing; {REPAIR}")
    pictures: dict[str, tuple[int, int]] = {}
    metas: dict[str, dict] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                if suffix == "jpg":
                    pictures[key] = (member.offset_data, member.size)
                elif suffix == "json":
                    metas[key] = json.loads(archive.extractfile(member).read()) | {"key": key}
    except (tarfile.TarError, ValueError) as error:
        raise ConfigError(f"{path}: damaged shard: {error}; {REPAIR}") from error
    if pictures.keys() != metas.keys():
        unpaired = sorted(pictures.keys() ^ metas.keys())[:3]
        raise ConfigError(f"{path}: picture and description do not pair for {unpaired}")
    return [(metas[key], *pictures[key]) for key in pictures]


def _table_of(metas: list[dict]) -> SampleTable:
    def names(meta: dict) -> tuple[str, ...]:
        return tuple(f"{meta['source']}/{key}" for key in [meta["class_key"], *meta.get("more_class_keys", [])])

    accepted = tuple(names(meta) for meta in metas)
    return SampleTable(
        keys=np.array([meta["key"] for meta in metas]),
        sources=np.array([meta["source"] for meta in metas]),
        domains=np.array([meta["domain"] for meta in metas]),
        class_names=np.array([name[0] for name in accepted]),
        accepted=accepted,
        roles=np.array([meta["role"] for meta in metas]),
        sizes_px=np.array([(meta["original_height_px"], meta["original_width_px"]) for meta in metas], np.float32),
    )
