"""What a run leaves beside its weights: the resolved config, the environment, the numbers, the learning curves."""

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_prep.files import writing_atomically

_PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "pytorch-lightning", "opencv-python-headless",
             "simplejpeg", "webdataset", "numpy", "pillow", "polars")


def write_environment(run_dir: Path) -> None:
    """`environment.json`: Python, packages, processor, threads, GPUs."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    content = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "gpus": gpus,
        "packages": {name: _version(name) for name in _PACKAGES},
    }
    with writing_atomically(Path(run_dir) / "environment.json") as unfinished_path:
        unfinished_path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def append_metrics(run_dir: Path, rows: Iterable[dict]) -> None:
    """Add rows {stage, step, images, name, value} to `metrics.jsonl`."""
    with open(Path(run_dir) / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def read_metrics(run_dir: Path) -> list[dict]:
    """All rows; a last line cut short by a kill is left out."""
    path = Path(run_dir) / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = []
    for number, line in enumerate(lines):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            if number != len(lines) - 1:
                raise
    return rows


def drop_metrics_after(run_dir: Path, stage: str, step: int) -> None:
    """Remove what an interrupted attempt wrote past its last checkpoint: the resumed run writes it again."""
    path = Path(run_dir) / "metrics.jsonl"
    if not path.is_file():
        return
    kept = [row for row in read_metrics(run_dir) if row["stage"] != stage or row["step"] <= step]
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


def draw_curves(run_dir: Path) -> Path:
    """`curves.png`: training loss and validation mMP@5 (mean and per domain), every stage drawn equally wide.

    A stage on cached features sees many times the images of the stages that cost the time, so a common axis in images
    would squeeze those into a corner.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_metrics(run_dir)
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    n_images = {stage: max(row["images"] for row in rows if row["stage"] == stage) for stage in stages}
    place = {id(row): stages.index(row["stage"]) + row["images"] / max(n_images[row["stage"]], 1) for row in rows}
    figure, (loss_axes, score_axes) = pyplot.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    _draw_losses(loss_axes, rows, place)
    _draw_scores(score_axes, rows, place)
    for axes in (loss_axes, score_axes):
        axes.set_xlim(0, len(stages))
        axes.set_xticks([number + 0.5 for number in range(len(stages))],
                        [f"{stage}\n{n_images[stage]:,} images" for stage in stages])
        axes.tick_params(axis="x", length=0)
        for number in range(1, len(stages)):
            axes.axvline(number, color="0.8", linewidth=1, zorder=0)
        axes.grid(axis="y", color="0.92")
    path = Path(run_dir) / "curves.png"
    with writing_atomically(path) as unfinished_path:
        figure.savefig(unfinished_path, dpi=110, format="png")
    pyplot.close(figure)
    return path


def _draw_losses(axes, rows: list[dict], place: dict[int, float]) -> None:
    """One line a stage: losses of different stages do not continue each other."""
    for stage in dict.fromkeys(row["stage"] for row in rows):
        points = [(place[id(r)], r["value"]) for r in rows if r["stage"] == stage and r["name"] == "train/loss"]
        if points:
            axes.plot(*zip(*points), linewidth=1.2)
    axes.set_title("training loss", fontsize=10)


def _draw_scores(axes, rows: list[dict], place: dict[int, float]) -> None:
    for number, name in enumerate(sorted({row["name"] for row in rows if row["name"].startswith("val/mMP@5")})):
        points = [(place[id(r)], r["value"]) for r in rows if r["name"] == name]
        if name == "val/mMP@5":
            how = {"color": "black", "linewidth": 2.2, "marker": "o", "markersize": 4, "label": "mean", "zorder": 3}
        else:  # after ten the colours begin again, so the dashes change
            how = {"linewidth": 1, "marker": ".", "label": name.removeprefix("val/mMP@5/"),
                   "linestyle": ("-", "--", ":")[(number - 1) // 10 % 3]}
        axes.plot(*zip(*points), clip_on=False, **how)
    axes.set_title("validation mMP@5 (held-out classes)", fontsize=10)
    if axes.lines:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
