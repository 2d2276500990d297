"""Learning curves as SVG that takes its colours from the page, so that they fit light and dark."""

import io
import re

import numpy as np

from train.run_log import stage_places

_TEXT = "#010101"  # stand-ins that are replaced by CSS variables; no colour of the drawing is like them
_GRID = "#020202"
_MEAN = "#030303"
_DOMAIN = "#04{:04x}"
_MAX_POINTS = 300  # a stage and line: more would only thicken the page


def draw_curves(rows: list[dict], domains: list[str]) -> dict[str, str]:
    """Title -> SVG: training loss, and validation mMP@5 in the mean and per domain, from `metrics.jsonl`.

    Every stage is equally wide: one on cached features sees many times the images of those that cost the time.

    Args:
        rows: {stage, step, images, name, value}.
        domains: those with a colour of their own on the page; number n is drawn in `var(--domain-n)`.
    """
    n_images, places = stage_places(rows)
    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}  # (name, stage) -> places and values
    for row, place in zip(rows, places):
        lines.setdefault((row["name"], row["stage"]), []).append((place, row["value"]))
    charts = {}
    losses = [points for (name, _), points in lines.items() if name == "train/loss"]
    if losses:
        charts["Training loss"] = _draw([(points, _MEAN, 1.3, False) for points in losses], n_images, "loss")
    scores = _score_lines(lines, domains)
    if scores:
        charts["Validation mMP@5, classes held out"] = _draw(scores, n_images, "score")
    return charts


def _score_lines(lines: dict, domains: list[str]) -> list[tuple[list, str, float, bool]]:
    """(points, colour, width, marked) of each domain and, last and on top, of the mean."""
    points_by_name: dict[str, list] = {}
    for (name, _), points in lines.items():
        if name.startswith("val/mMP@5"):
            points_by_name.setdefault(name, []).extend(points)
    drawn = []
    for name in sorted(points_by_name, reverse=True):  # the mean's name is the shortest and comes last
        domain = name.removeprefix("val/mMP@5").removeprefix("/")
        if not domain:
            drawn.append((points_by_name[name], _MEAN, 2.4, True))
        elif domain in domains:
            drawn.append((points_by_name[name], _DOMAIN.format(domains.index(domain)), 1.1, True))
    return drawn


def _draw(lines: list[tuple[list, str, float, bool]], n_images: dict[str, int], name: str) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # fonttype none keeps text as text; a fixed salt makes the same ids every time.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 10.5}):
        figure = Figure(figsize=(5.2, 3.5), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        for points, colour, width, is_marked in lines:
            xs, ys = _thinned(points)
            axes.plot(xs, ys, color=colour, linewidth=width, marker="o" if is_marked else None,
                      markersize=1.6 * width + 0.6, solid_capstyle="round", clip_on=False)
        _dress(axes, n_images)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    # Ids must differ between the charts of one page.
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", stream.getvalue())
    return _with_page_colours(svg)


def _dress(axes, n_images: dict[str, int]) -> None:
    """Stage names below their stretch, faint lines, nothing else."""
    axes.set_xlim(0, len(n_images))
    axes.set_xticks([number + 0.5 for number in range(len(n_images))],
                    [f"{stage}\n{_shortened(count)} images" for stage, count in n_images.items()])
    axes.tick_params(length=0, colors=_TEXT)
    for number in range(1, len(n_images)):
        axes.axvline(number, color=_GRID, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
    axes.grid(axis="y", color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)


def _shortened(count: int) -> str:
    """
    >>> [_shortened(count) for count in (870, 7040, 1_250_000)]
    ['870', '7k', '1.2M']
    """
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def _thinned(points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """At most _MAX_POINTS points, each the mean of its neighbours in time."""
    parts = np.array_split(np.array(points), min(len(points), _MAX_POINTS))
    xs, ys = zip(*(part.mean(axis=0) for part in parts))
    return np.array(xs), np.array(ys)


def _with_page_colours(svg: str) -> str:
    """The <svg> element alone, stand-in colours replaced, sized by the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'^<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", svg)
    for stand_in, variable in ((_TEXT, "--muted"), (_GRID, "--line"), (_MEAN, "--ink")):
        svg = svg.replace(stand_in, f"var({variable})")
    return re.sub(r"#04([0-9a-f]{4})", lambda found: f"var(--domain-{int(found[1], 16)})", svg)
