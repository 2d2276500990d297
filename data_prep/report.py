"""What a build did, for people: tables on the screen, `rejects.csv`, `report.html` beside the manifest."""

import base64
import io
import sys
from collections import Counter

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS
from data_prep.manifest import Manifest
from data_prep.pair_sheet import PairSheet
from data_prep.picture_row import side_by_side
from data_prep.shards import iterate_shard
from data_prep.sources import SOURCES
from data_prep.sources.source import Source
from data_prep.storage import Location, join, writing_whole

PICTURES_PER_ROW = 12
THUMBNAIL_PX = 96
WIDTH_IN_A_LOG = 110  # columns; where no terminal says how many it has


def write_rejects(catalogue: pl.DataFrame, path: Location) -> None:
    """`source,path,reason,detail` of every row that was turned away, sorted by source and path."""
    rejects = catalogue.filter(~ACCEPTED).sort("source", "path")
    columns = (
        "source",
        "path",
        pl.col("reject_reason").alias("reason"),
        pl.col("reject_detail").alias("detail"),
    )
    with writing_whole(path) as unfinished_path:
        rejects.select(columns).write_csv(unfinished_path)


def write_report(
    manifest: Manifest, shards_dir: Location, path: Location, near_duplicates: PairSheet | None = None
) -> None:
    """One HTML file with counts by source and step, rejects by reason, class sizes, terms and sample pictures.

    Args:
        near_duplicates: pictures that look the same; None where the build did not look for them.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader("data_prep", "."), autoescape=True, undefined=StrictUndefined
    ).get_template("report_template.html")
    text = template.render(
        manifest=manifest,
        steps=_steps(manifest),
        sources=source_table(manifest),
        splits=SPLITS,
        known_sources=_known_sources(manifest),
        near_duplicates=near_duplicates,
        data_url=_data_url,
        class_sizes=class_sizes(manifest),
        sheets={
            source: {split: _data_url(jpeg, "jpeg") for split, jpeg in by_split.items()}
            for source, by_split in contact_sheets(manifest, shards_dir).items()
        },
    )
    with writing_whole(path) as unfinished_path:
        unfinished_path.write_text(text, encoding="utf-8")


def split_table(manifest: Manifest) -> list[dict]:
    """A row for each source and split with samples: source, domain, split, n_classes, n_images, size_mb."""
    rows = []
    for source in sorted({shard.source for shard in manifest.shards}):
        for split in SPLITS:
            shards = [shard for shard in manifest.shards if (shard.source, shard.split) == (source, split)]
            if not shards:
                continue
            classes = [entry for entry in manifest.classes if (entry.source, entry.split) == (source, split)]
            rows.append(
                {
                    "source": source,
                    "domain": shards[0].domain,
                    "split": split,
                    "n_classes": len(classes),
                    "n_images": sum(shard.n_samples for shard in shards),
                    "size_mb": round(sum(shard.size_bytes for shard in shards) / 1e6, 1),
                }
            )
    return rows


def source_table(manifest: Manifest) -> list[dict]:
    """A row for each source, their sum last: source, domain, size_mb, and for each split (images, classes)."""
    parts = split_table(manifest)
    sources = dict.fromkeys(part["source"] for part in parts)
    rows = [_source_row(source, [part for part in parts if part["source"] == source]) for source in sources]
    return [*rows, _source_row("all", parts) | {"domain": ""}]


def _source_row(source: str, parts: list[dict]) -> dict:
    row = {"source": source, "domain": parts[0]["domain"], "size_mb": sum(part["size_mb"] for part in parts)}
    for split in SPLITS:
        mine = [part for part in parts if part["split"] == split]
        row[split] = (sum(part["n_images"] for part in mine), sum(part["n_classes"] for part in mine))
    return row


def print_summary(manifest: Manifest) -> None:
    """Counts by source and split, and rejects by reason, as tables on the screen."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else WIDTH_IN_A_LOG)
    table = Table("source", "domain", title=f"{manifest.mixture['name']}: images (classes)", title_justify="left")
    for heading in (*SPLITS, "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = source_table(manifest)
    for row in rows:
        cells = [f"{row[split][0]:,} ({row[split][1]:,})" for split in SPLITS]
        table.add_row(row["source"], row["domain"], *cells, f"{row['size_mb']:.1f}", end_section=row is rows[-2])
    console.print(table)
    if manifest.rejects:
        table = Table("turned away because")
        table.add_column("rows", justify="right")
        for reason, n in manifest.rejects.items():
            table.add_row(reason, f"{n:,}")
        console.print(table)


def class_sizes(manifest: Manifest) -> list[dict]:
    """A row for each range of sizes (1, 2 to 3, 4 to 7 ...): n_images in words, and for each split its classes."""
    by_split = {
        split: Counter(entry.n_images.bit_length() - 1 for entry in manifest.classes if entry.split == split)
        for split in SPLITS
    }
    powers = [power for counted in by_split.values() for power in counted]
    return [
        {"n_images": f"{2**power:,} to {2 ** (power + 1) - 1:,}" if power else "1"}
        | {split: counted[power] for split, counted in by_split.items()}
        for power in range(min(powers), max(powers) + 1)
    ]


def contact_sheets(manifest: Manifest, shards_dir: Location) -> dict[str, dict[str, bytes]]:
    """{source: {split: JPEG}} with the first samples of each, random ones by construction."""
    sheets: dict[str, dict[str, bytes]] = {}
    for row in split_table(manifest):
        place = (row["source"], row["split"])
        first = next(shard for shard in manifest.shards if (shard.source, shard.split) == place)
        samples = iterate_shard(join(shards_dir, first.path))
        pictures = [jpeg for _, (_, jpeg, _) in zip(range(PICTURES_PER_ROW), samples, strict=False)]
        sheets.setdefault(row["source"], {})[row["split"]] = _contact_sheet(pictures)
    return sheets


def _contact_sheet(pictures: list[bytes]) -> bytes:
    """Thumbnails side by side on white."""
    from PIL import Image

    return side_by_side([Image.open(io.BytesIO(content)).convert("RGB") for content in pictures], THUMBNAIL_PX, 85)


def _steps(manifest: Manifest) -> list[str]:
    """All steps in order; every source went through the same ones."""
    return list(next(iter(manifest.counts.values()), {}))


def _known_sources(manifest: Manifest) -> dict[str, Source]:
    """The mixture's sources whose terms are known here; data of one's own has a reader instead."""
    keys = [source["source"] for source in manifest.mixture["sources"] if source["reader"] is None]
    return {key: SOURCES[key] for key in keys}


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
