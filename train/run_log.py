"""What a run leaves beside its weights: the resolved config, the environment, the numbers, the learning curves."""

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_prep.files import write_json, writing_atomically

_PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "pytorch-lightning", "albumentations", "webdataset",
             "numpy", "pillow", "polars")


def write_environment(run_dir: Path, n_processes: int = 1) -> None:
    """`environment.json`: Python, packages, processor, threads, processes, GPUs."""
    write_json(Path(run_dir) / "environment.json", _environment(n_processes))


def note_resume(run_dir: Path, n_processes: int = 1) -> list[str]:
    """Add to `environment.json` where the run goes on; what differs so that the last bits of its weights will, too."""
    path = Path(run_dir) / "environment.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    now = _environment(n_processes)
    before = (content.get("resumed") or [content])[-1]
    keys = ("n_threads", "n_processes", "gpus", "packages", "platform", "python")
    notes = [
        f"the run goes on with {key} {now[key]}, it had {before[key]}; its weights will differ in the last bits from "
        "those of a run that was never interrupted" for key in keys if key in before and before[key] != now[key]
    ]
    write_json(path, content | {"resumed": [*content.get("resumed", []), now]})
    return notes


def _environment(n_processes: int) -> dict:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "n_processes": n_processes,
        "gpus": gpus,
        "packages": {name: _version(name) for name in _PACKAGES},
    }


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


def stage_places(rows: list[dict]) -> tuple[dict[str, int], list[float]]:
    """Images of each stage, in order, and each row's place on an axis where every stage is 1 wide.

    >>> rows = [{"stage": "head", "images": 50}, {"stage": "head", "images": 100}, {"stage": "all", "images": 3}]
    >>> stage_places(rows)
    ({'head': 100, 'all': 3}, [0.5, 1.0, 2.0])
    """
    n_images: dict[str, int] = {}
    for row in rows:
        n_images[row["stage"]] = max(row["images"], n_images.get(row["stage"], 0))
    numbers = {stage: number for number, stage in enumerate(n_images)}
    return n_images, [numbers[row["stage"]] + row["images"] / max(n_images[row["stage"]], 1) for row in rows]


def draw_curves(run_dir: Path) -> Path:
    """`curves.png`: training loss and validation mMP@5 (mean and per domain), every stage drawn equally wide.

    A stage on cached features sees many times the images of the stages that cost the time, so a common axis in images
    would squeeze those into a corner.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_metrics(run_dir)
    n_images, places = stage_places(rows)
    stages = list(n_images)
    place = {id(row): at for row, at in zip(rows, places)}
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
