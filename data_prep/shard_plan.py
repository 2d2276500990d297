"""Which sample goes into which shard, under which number: tasks that depend on nothing but themselves."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS
from data_prep.files import sha256_of_bytes
from data_prep.hash_rank import rank_hash
from data_prep.images import encoder_versions
from data_prep.labels import Labels
from data_prep.manifest import FORMAT_VERSION

# The JSON member of a sample. Sizes are those of the raw picture; `more_class_keys` are further accepted
# labels.
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
class ImageSettings:
    """How pictures are stored: see `images.prepare_image`."""

    image_px: int
    jpeg_quality: int
    apply_exif_orientation: bool = False


@dataclass(frozen=True, eq=False)
class ShardTask:
    """Everything that decides the bytes of one shard, and where its input and output are.

    `samples` has the columns of SAMPLE_COLUMNS, a row a sample in the order of the file; row i gets the
    number `first_number` + i.
    """

    path: str  # relative to the shards folder
    split: str
    source: str
    domain: str
    first_number: int
    image: ImageSettings
    samples: pl.DataFrame
    raw_root: str
    shards_dir: str

    def sha256(self) -> str:
        """Hash of what decides the bytes; the folders on this machine do not."""
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
    folders: tuple[Path, Path],
) -> list[ShardTask]:
    """One task a shard, sorted by split, source and number.

    Samples of a (source, split) are shuffled by a hash of seed, source and path, so that neither the order of
    the rows nor other sources change them; numbers run through a source's splits, so keys are unique in the
    mixture.

    Args:
        folders: the raw root and the folder of the shards.
    """
    samples = _sample_table(catalogue.filter(ACCEPTED), labels, seed)
    tasks = []
    for source in sorted(samples["source"].unique()):
        first_number = 0
        for split in SPLITS:
            rows = samples.filter(pl.col("source") == source, pl.col("split") == split)
            for n, chunk in enumerate(rows.iter_slices(samples_per_shard)):
                path = f"{split}/{source}-{n:06d}.tar"
                place = (path, split, source, chunk["domain"][0], first_number)
                tasks.append(ShardTask(*place, image, chunk, str(folders[0]), str(folders[1])))
                first_number += chunk.height
    return sorted(tasks, key=lambda task: (SPLITS.index(task.split), task.path))


def _sample_table(accepted: pl.DataFrame, labels: Labels, seed: int) -> pl.DataFrame:
    """SAMPLE_COLUMNS's columns in shuffled order. Labels that no image of this mixture carries get no id."""
    names = list(zip(accepted["source"], accepted["class_key"], accepted["more_class_keys"], strict=True))
    paths = zip(accepted["source"], accepted["path"], strict=True)
    return (
        accepted.with_columns(
            class_id=pl.Series([labels.id_of(source, key) for source, key, _ in names], dtype=pl.Int64),
            more_class_ids=pl.Series(
                [
                    [labels.id_of(source, key) for key in more if labels.knows(source, key)]
                    for source, _, more in names
                ],
                dtype=pl.List(pl.Int64),
            ),
            rank=pl.Series([rank_hash(seed, "shuffle", *path) for path in paths], dtype=pl.UInt64),
        )
        .sort("rank", "source", "path")
        .rename({"path": "source_path", "width_px": "original_width_px", "height_px": "original_height_px"})
        .select(SAMPLE_COLUMNS)
    )
