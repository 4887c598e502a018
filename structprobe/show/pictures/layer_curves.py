"""Scores by layer: a curve with its interval for each model, baselines as dashed lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.errors import ResultError, unknown_name
from structprobe.show.pictures import style
from structprobe.show.pictures.style import NAMES
from structprobe.show.row_labels import short_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What parts curves from one another, and how a value is told where curves differ in it.
_PARTING: Mapping[str, Callable[[Any], str]] = {
    "model": short_model, "method": str, "recipe": "recipe {}".format, "rank": "rank {}".format,
    "words_as": "input {}".format, "treebank": str, "part": str, "punct": "punct={}".format,
}  # fmt: skip


def draw_layer_curves(
    rows: Sequence[Mapping[str, Any]], metric: str = "uuas", *, ax: Axes | None = None
) -> Axes:
    """Draw a score by layer.

    Parameters
    ----------
    rows : sequence of mapping
        Result rows, keys as in `structprobe.results.rows.ROW_KEYS`. Rows with a layer make curves,
        one for each model, method, recipe, rank and treebank; rows without, such as baselines,
        dashed lines. Scores and bounds of intervals are means over seeds.
    metric : {"uuas", "uas", "las", "root_acc", "dspr", "nspr"}
        The score, drawn times a hundred.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. The bands are 95% bootstrap intervals over sentences.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the score is unknown, or no row with a layer has it.
    """
    if metric not in NAMES:
        raise ResultError(unknown_name("score", metric, NAMES))
    scored = [row for row in rows if row.get(metric) is not None]
    if not any(row.get("layer") is not None for row in scored):
        raise ResultError(f"no row has a layer and {NAMES[metric]}", hint="give rows of a sweep")
    curves = _parted([row for row in scored if row.get("layer") is not None])
    flat = _parted([row for row in scored if row.get("layer") is None])
    ax = style.axes_or_new(ax, 6.4, 4.4)
    for index, (label, own) in enumerate(curves.items()):
        layers = sorted({row["layer"] for row in own})
        colour, marker = style.COLOURS[index % 6], style.MARKERS[index % 6]
        means, low, high = (
            [style.mean_of(own, f"{metric}{end}", layer=layer) for layer in layers]
            for end in ("", "_low", "_high")
        )
        ax.plot(layers, means, label=label, color=colour, marker=marker)
        ax.fill_between(layers, low, high, color=colour, alpha=0.2, linewidth=0)
    heights: dict[float, list[str]] = {}  # those of one height share a line
    for label, own in flat.items():
        heights.setdefault(style.mean_of(own, metric), []).append(label)
    for index, (height, labels) in enumerate(heights.items()):
        dashes = (0, style.DASHES[index % len(style.DASHES)])
        label = " = ".join(labels)
        ax.axhline(height, color=style.GREY, linestyle=dashes, linewidth=1.2, label=label)
    style.whole_numbers(ax.xaxis)
    ax.set(xlabel="layer", ylabel=f"{NAMES[metric]} in per cent")
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    title = f"{NAMES[metric]} by layer, with 95% bootstrap intervals over sentences"
    style.put_title(ax, title, scored, correlations=metric in ("dspr", "nspr"))
    return ax


def has_curve(rows: Sequence[Mapping[str, Any]], metric: str) -> bool:
    """Tell whether some method has a score on several layers."""
    scored = [row for row in rows if row.get(metric) is not None and row.get("layer") is not None]
    return any(len({row["layer"] for row in own}) > 1 for own in _parted(scored).values())


def _parted(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Part rows by what is named of them, which is what they differ in, the method at least."""
    differing = [key for key in _PARTING if len({row.get(key) for row in rows}) > 1] or ["method"]
    parted: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        told = [_PARTING[key](row[key]) for key in differing if row.get(key) is not None]
        parted.setdefault(", ".join(told), []).append(row)
    return parted
