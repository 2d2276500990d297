"""Which sample goes into which shard, under which number: tasks that depend on nothing but themselves."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS
from data_prep.crops import CROP, FILE, MARK
from data_prep.encoded_ahead import PLACE_COLUMNS, ImageSettings
from data_prep.files import sha256_of_bytes
from data_prep.hash_rank import rank_hashes
from data_prep.images import encoder_versions
from data_prep.labels import Labels
from data_prep.manifest import FORMAT_VERSION
from data_prep.storage import Location, is_url

# The JSON member of a sample. Sizes are those of the raw picture; `more_class_keys` are further accepted
# labels. Sources whose boxes are cut out have one more, `crop`: [x0, y0, x1, y1] in pixels of the upright picture; the
# sizes are then those of the box.
SAMPLE_COLUMNS = (
    "source",
    "domain",
    "class_key",
    "class_id",
    "more_class_keys",
    "more_class_ids",
    "split",
    "role",
    "sha256",
    "source_path",
    "original_width_px",
    "original_height_px",
)


@dataclass(frozen=True)
class Folders:
    """Where a build reads and writes.

    Attributes:
        raw_root: the raw data sets; on a cluster, seen by all workers under this path.
        shards_dir: what the build is for; a folder or a URL.
        build_dir: what a build needs to go on after an interruption; None puts it into `shards_dir`, which is
            then no URL.
    """

    raw_root: Path
    shards_dir: Location
    build_dir: Path | None = None

    def absolute(self) -> "Folders":
        """The same places for a process that was started in another folder."""
        shards_dir = self.shards_dir if is_url(self.shards_dir) else Path(self.shards_dir).absolute()
        build_dir = Path(shards_dir) / "build" if self.build_dir is None else self.build_dir.absolute()
        return Folders(self.raw_root.absolute(), shards_dir, build_dir)


@dataclass(frozen=True, eq=False)
class ShardTask:
    """Everything that decides the bytes of one shard, and where its input and output are.

    `samples` has the columns of SAMPLE_COLUMNS, and maybe `crop`, a row a sample in the order of the file; row i gets
    the number `first_number` + i. `encoded` has PLACE_COLUMNS: where the JPEG bytes of the same row lie, null where
    they have to be made; without rows, nothing was encoded ahead.
    """

    path: str  # relative to the shards folder
    split: str
    source: str
    domain: str
    first_number: int
    image: ImageSettings
    samples: pl.DataFrame
    folders: Folders
    encoded: pl.DataFrame

    def sha256(self) -> str:
        """Hash of what decides the bytes; folders, and what was encoded ahead, do not."""
        description = {
            "made_by": {"format": FORMAT_VERSION, **encoder_versions()},
            "path": self.path,
            "first_number": self.first_number,
            "image": asdict(self.image),
            "samples": self.samples.rows(),
        }
        return sha256_of_bytes(json.dumps(description, sort_keys=True).encode())


def plan_shards(
    catalogue: pl.DataFrame,
    labels: Labels,
    image: ImageSettings,
    samples_per_shard: int,
    seed: int,
    folders: Folders,
) -> list[ShardTask]:
    """One task a shard, sorted by split, source and number.

    Samples of a (source, split) are shuffled by a hash of seed, source and path, so that neither the order of
    the rows nor other sources change them; numbers run through a source's splits, so keys are unique in the
    mixture.
    """
    folders = folders.absolute()
    nothing = pl.DataFrame(schema=[*PLACE_COLUMNS])
    samples = _sample_table(catalogue.filter(ACCEPTED), labels, seed)
    tasks, start, first_number = [], 0, {}
    has_boxes = pl.col("crop").is_not_null().any() if "crop" in samples.columns else pl.lit(False)
    parts = samples.group_by("source", "split", maintain_order=True).agg(pl.len(), has_boxes=has_boxes)
    for source, split, n_rows, with_crop in parts.iter_rows():
        columns = [*SAMPLE_COLUMNS, "crop"] if with_crop else SAMPLE_COLUMNS
        # Slices, not copies: the table is the largest thing in a build's memory.
        for n, chunk in enumerate(samples.select(columns).slice(start, n_rows).iter_slices(samples_per_shard)):
            path = f"{split}/{source}-{n:06d}.tar"
            place = (path, split, source, chunk["domain"][0], first_number.get(source, 0))
            tasks.append(ShardTask(*place, image, chunk, folders, nothing))
            first_number[source] = first_number.get(source, 0) + chunk.height
        start += n_rows
    return sorted(tasks, key=lambda task: (SPLITS.index(task.split), task.path))


def with_encoded(tasks: list[ShardTask], index: pl.DataFrame) -> list[ShardTask]:
    """The same tasks, told where pictures that were encoded ahead lie (`encoded_ahead.read_index`)."""
    if index.is_empty() or not tasks:
        return tasks
    wanted = pl.concat([_picture_keys(task.samples) for task in tasks])
    places = wanted.join(index, on="picture", how="left", maintain_order="left").select(PLACE_COLUMNS)
    told, start = [], 0
    for task in tasks:
        told.append(replace(task, encoded=places.slice(start, task.samples.height)))
        start += task.samples.height
    return told


def _picture_keys(samples: pl.DataFrame) -> pl.DataFrame:
    """`encoded_ahead.picture_key` of each sample, as the column `picture`."""
    if "crop" not in samples.columns:
        return samples.select(picture="sha256")
    box = pl.lit(MARK) + pl.col("crop").cast(pl.List(pl.String)).list.join(",")
    return samples.select(picture=pl.col("sha256") + box.fill_null(""))


def _sample_table(accepted: pl.DataFrame, labels: Labels, seed: int) -> pl.DataFrame:
    """SAMPLE_COLUMNS's columns by source and split, shuffled inside; `crop` too if any path has a box.

    Labels that no image here carries get no id.
    """
    rank = rank_hashes(seed, "shuffle", accepted["source"], accepted["path"])
    renamed = {"path": "source_path", "width_px": "original_width_px", "height_px": "original_height_px"}
    catalogue_columns = [name for name in accepted.columns if renamed.get(name, name) in SAMPLE_COLUMNS]
    order = pl.col("split").replace_strict({split: n for n, split in enumerate(SPLITS)}, return_dtype=pl.Int8)
    accepted = accepted.select(*catalogue_columns, rank=rank)
    sorted_rows = _with_class_ids(accepted, labels).sort("source", order, "rank", "path")
    if not sorted_rows["path"].str.contains(MARK, literal=True).any():
        return sorted_rows.rename(renamed).select(SAMPLE_COLUMNS)
    cut = sorted_rows.with_columns(crop=CROP, path=FILE)
    return cut.rename(renamed).select(*SAMPLE_COLUMNS, "crop")


def _with_class_ids(accepted: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    """The rows in their order, with class_id and more_class_ids (those that have an id, in the order of the keys)."""
    ids = labels.table()
    rows = accepted.join(ids, on=["source", "class_key"], how="left", maintain_order="left").with_row_index("row")
    missing = rows.filter(pl.col("class_id").is_null())
    if not missing.is_empty():
        labels.id_of(missing["source"][0], missing["class_key"][0])  # raises, and says what is known
    more = (
        rows.filter(pl.col("more_class_keys").list.len() > 0)
        .select("row", "source", class_key="more_class_keys")
        .explode("class_key", empty_as_null=True)
        .join(ids.rename({"class_id": "more_class_ids"}), on=["source", "class_key"], maintain_order="left")
        .group_by("row", maintain_order=True)
        .agg("more_class_ids")
    )
    found = rows.join(more, on="row", how="left", maintain_order="left").drop("row")
    return found.with_columns(pl.col("more_class_ids").fill_null(pl.lit([], dtype=pl.List(pl.Int64))))
