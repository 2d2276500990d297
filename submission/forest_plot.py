"""A comparison as a picture: the difference of each domain with its interval, zero in the middle."""

import io

from submission.comparison import MEAN

_COLOURS = {"better": "#1a7f5a", "worse": "#c2452d", "not told apart": "#6b7780", "the same": "#6b7780"}
_METRICS = ("mMP@5", "R@1", "mAP@100")


def draw_forest(found: dict) -> bytes:
    """PNG of `compare.json`'s content: a panel a metric, a row a domain, the mean of the domains last."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = {**found["per_domain"], MEAN: found["mean"]}
    height = 1.6 + 0.32 * len(rows)  # inches
    figure, panels = pyplot.subplots(1, len(_METRICS), figsize=(11, height), sharey=True, layout="constrained")
    for axes, metric in zip(panels, _METRICS, strict=True):
        for place, scores in enumerate(rows.values()):
            _draw_row(axes, place, scores[metric], is_mean=place == len(rows) - 1)
        axes.axvline(0, color="0.3", linewidth=1, zorder=0)
        axes.axhline(len(rows) - 1.5, color="0.8", linewidth=1)
        widest = max(1e-3, *(abs(scores[metric][end]) for scores in rows.values() for end in ("low", "high")))
        axes.set_xlim(-1.1 * widest, 1.1 * widest)
        axes.set_title(metric, fontsize=11)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        axes.tick_params(left=False)
        axes.spines[["top", "right", "left"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].invert_yaxis()
    figure.suptitle(f"b minus a, 95 % intervals (a: {found['a']['name']}, b: {found['b']['name']})", fontsize=11)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    pyplot.close(figure)
    return drawn.getvalue()


def _draw_row(axes, place: int, found: dict, is_mean: bool) -> None:
    colour = _COLOURS[found["verdict"]]
    axes.plot([found["low"], found["high"]], [place, place], color=colour, linewidth=2.4 if is_mean else 1.6)
    axes.plot(found["difference"], place, marker="D" if is_mean else "o", color=colour, markersize=6)
