"""What a build did, for people: tables on the screen, `rejects.csv`, `report.html` beside the manifest."""

import base64
import io
from pathlib import Path

import polars as pl

from data_prep.catalogue import ACCEPTED, SPLITS
from data_prep.files import writing_atomically
from data_prep.manifest import Manifest
from data_prep.shards import iterate_shard

PICTURES_PER_ROW = 12
THUMBNAIL_PX = 96


def write_rejects(catalogue: pl.DataFrame, path: Path) -> None:
    """`source,path,reason,detail` of every row that was turned away, sorted by source and path."""
    rejects = catalogue.filter(~ACCEPTED).sort("source", "path")
    columns = (
        "source",
        "path",
        pl.col("reject_reason").alias("reason"),
        pl.col("reject_detail").alias("detail"),
    )
    with writing_atomically(path) as unfinished_path:
        rejects.select(columns).write_csv(unfinished_path)


def write_report(manifest: Manifest, shards_dir: Path, path: Path) -> None:
    """One HTML file with counts by source and step, rejects by reason, class sizes and sample pictures."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    template = Environment(
        loader=PackageLoader("data_prep", "."), autoescape=True, undefined=StrictUndefined
    ).get_template("report_template.html")
    text = template.render(
        manifest=manifest,
        steps=_steps(manifest),
        splits=split_table(manifest),
        histogram=_data_url(_class_size_histogram(manifest), "png"),
        sheets=[(title, _data_url(jpeg, "jpeg")) for title, jpeg in contact_sheets(manifest, shards_dir)],
    )
    with writing_atomically(path) as unfinished_path:
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


def print_summary(manifest: Manifest) -> None:
    """Counts by source and split, and rejects by reason, as tables on the screen."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("source", "domain", "split", "classes", "images", "MB", title=manifest.mixture["name"])
    for row in split_table(manifest):
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
    if manifest.rejects:
        table = Table("rejected because", "rows")
        for reason, n in manifest.rejects.items():
            table.add_row(reason, str(n))
        console.print(table)


def contact_sheets(manifest: Manifest, shards_dir: Path) -> list[tuple[str, bytes]]:
    """(title, JPEG bytes) for each source and split: its first samples, random ones by construction."""
    sheets = []
    for row in split_table(manifest):
        place = (row["source"], row["split"])
        first = next(shard for shard in manifest.shards if (shard.source, shard.split) == place)
        samples = iterate_shard(shards_dir / first.path)
        pictures = [jpeg for _, (_, jpeg, _) in zip(range(PICTURES_PER_ROW), samples, strict=False)]
        sheets.append((f"{row['source']} {row['split']}", _contact_sheet(pictures)))
    return sheets


def _contact_sheet(pictures: list[bytes]) -> bytes:
    """Thumbnails side by side on white."""
    from PIL import Image

    sheet = Image.new("RGB", (THUMBNAIL_PX * len(pictures), THUMBNAIL_PX), "white")
    for n, content in enumerate(pictures):
        with Image.open(io.BytesIO(content)) as picture:
            thumbnail = picture.convert("RGB")
        thumbnail.thumbnail((THUMBNAIL_PX - 4, THUMBNAIL_PX - 4))
        left = THUMBNAIL_PX * n + (THUMBNAIL_PX - thumbnail.width) // 2
        sheet.paste(thumbnail, (left, (THUMBNAIL_PX - thumbnail.height) // 2))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _class_size_histogram(manifest: Manifest) -> bytes:
    """PNG: how many classes have how many images, a line a split."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for split in SPLITS:
        sizes = [entry.n_images for entry in manifest.classes if entry.split == split]
        if sizes:
            edges = [2**n for n in range(max(sizes).bit_length() + 1)]
            axes.hist(sizes, bins=edges, histtype="step", linewidth=2, label=f"{split}: {len(sizes)} classes")
    axes.set(xscale="log", xlabel="images in the class", ylabel="classes")
    axes.set_xscale("log", base=2)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _steps(manifest: Manifest) -> list[str]:
    """All steps in order; every source went through the same ones."""
    return list(next(iter(manifest.counts.values()), {}))


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
