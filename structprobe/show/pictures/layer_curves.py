"""Scores by layer, or by number of training sentences, with bands; baselines as dashed lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structprobe.draw.word_display import visible
from structprobe.errors import ResultError, unknown_name
from structprobe.results.rows import Row
from structprobe.results.settings import (
    PROTOCOL,
    band_of,
    differing,
    name_banks,
    over_seeds,
    protocol_of,
    tell_seeds,
    tell_settings,
)
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
_AXES = {"layer": "layer", "n_train": "number of training sentences"}


def draw_layer_curves(
    rows: Sequence[Mapping[str, Any]],
    metric: str = "uuas",
    *,
    letters: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a score by layer.

    Parameters
    ----------
    rows : sequence of mapping
        Result rows, keys as in `structprobe.results.rows.ROW_KEYS`. Rows with a layer make curves,
        one for each model, method, rank and setting in which they differ; rows without, such as
        baselines, dashed lines. Scores are means over seeds. Rows scored on several treebanks or by
        several protocols get a panel each.
    metric : {"uuas", "uas", "las", "clas", "root_acc", "dspr", "nspr"}
        The score, drawn times a hundred.
    letters : mapping of str to str, optional
        Letters to write above points, by the key of a row, such as those of `significance`.
    ax : matplotlib.axes.Axes, optional
        Where to draw, if there is one panel; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, of several panels the first. The bands are 95% bootstrap intervals over sentences,
        or one standard deviation over seeds where there are several.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the score is unknown, no row with a layer has it, or `ax` is
        given for rows of several treebanks or protocols.
    """
    return _draw(rows, _Curves(metric, letters or {}), ax)


def draw_learning_curves(
    rows: Sequence[Mapping[str, Any]], metric: str = "uuas", *, ax: Axes | None = None
) -> Axes:
    """Draw a score by the number of training sentences.

    Parameters
    ----------
    rows : sequence of mapping
        Result rows of a sweep with several `train_sentences` (see `SweepConfig`). There is a curve
        for each layer, and for each other setting that differs, as in `draw_layer_curves`.
    metric, ax
        As for `draw_layer_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        As for `draw_layer_curves`; the numbers of sentences are on a logarithmic axis.

    Raises
    ------
    StructprobeError
        As for `draw_layer_curves`.
    """
    return _draw(rows, _Curves(metric, {}, "n_train"), ax)


@dataclass(frozen=True)
class _Curves:
    """What curves are of."""

    metric: str
    letters: Mapping[str, str]
    by: str = "layer"  # The key of the axis: "layer" or "n_train"

    def has_place(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is a point of a curve, not a dashed line."""
        return row.get("layer") is not None and row.get(self.by) is not None

    @property
    def parting(self) -> Mapping[str, Callable[[Any], str]]:
        """What parts curves."""
        return _PARTING if self.by == "layer" else {"layer": "layer {}".format, **_PARTING}

    def of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
        """Part rows by what is named of them, which is what they differ in, the method at least."""
        known = {*self.parting} | ({"train_sentences"} if self.by == "n_train" else set())
        differ = [key for key in self.parting if len({row.get(key) for row in rows}) > 1]
        others = [key for key in differing(rows) if key not in known]
        parted: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            told = [self.parting[key](row[key]) for key in differ or ["method"]
                    if row.get(key) is not None]  # fmt: skip
            parted.setdefault(", ".join([*told, *tell_settings(row, others)]), []).append(row)
        return parted


def _draw(rows: Sequence[Mapping[str, Any]], curves: _Curves, ax: Axes | None) -> Axes:
    """Draw a panel for each protocol."""
    metric = curves.metric
    if metric not in NAMES:
        raise ResultError(unknown_name("score", metric, NAMES))
    scored = over_seeds([row for row in name_banks(rows) if row.get(metric) is not None])
    protocols: dict[tuple[Any, ...], list[Row]] = {}
    for row in scored:
        protocols.setdefault(protocol_of(row), []).append(row)
    drawn = [own for own in protocols.values() if any(map(curves.has_place, own))]
    if not drawn:
        what = "a layer" if curves.by == "layer" else "a layer, a number of training sentences"
        raise ResultError(f"no row has {what} and {NAMES[metric]}", hint="give rows of a sweep")
    if ax is not None and len(drawn) > 1:
        apart = ", ".join(differing([own[0] for own in drawn], PROTOCOL))
        what = f"rows that differ in {apart} need {len(drawn)} panels, but ax is one"
        raise ResultError(what, hint="leave out ax=, or draw them separately")
    if ax is not None or len(drawn) == 1:
        return _draw_panel(style.axes_or_new(ax, 6.4, 4.4), drawn[0], curves)
    every = style.new_figure(6.4, 4.4 * len(drawn)).subplots(len(drawn), 1)
    pairs = zip(every, drawn, strict=True)
    panels = [_draw_panel(one, own, curves) for one, own in pairs]
    return panels[0]


def _draw_panel(ax: Axes, scored: Sequence[Row], curves: _Curves) -> Axes:
    """Draw the rows of one protocol."""
    metric, letters, by = curves.metric, curves.letters, curves.by
    flat = curves.of([row for row in scored if row.get("layer") is None])
    lines = curves.of([row for row in scored if curves.has_place(row)])
    for index, (label, own) in enumerate(lines.items()):
        places = sorted({row[by] for row in own})
        # Where the colours come again, each has another marker than before.
        colour, marker = style.COLOURS[index % 6], style.MARKERS[(index + index // 6) % 6]
        means = [style.mean_of(own, metric, **{by: place}) for place in places]
        bands = [_band([row for row in own if row[by] == place], metric) for place in places]
        low, high = ([band[at] for band in bands] for at in (0, 1))
        ax.plot(places, means, label=label, color=colour, marker=marker)
        ax.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        at = dict(zip(places, means, strict=True))
        for row in (row for row in own if row.get("key") in letters):
            point, told = (row[by], at[row[by]]), letters[row["key"]]
            look: dict[str, Any] = {"color": colour, "fontsize": 7, "ha": "center"}
            ax.annotate(told, point, xytext=(0, 6), textcoords="offset points", **look)
    heights: dict[float, list[str]] = {}  # those of one height share a line
    for label, own in flat.items():
        heights.setdefault(style.mean_of(own, metric), []).append(label)
    for index, (height, labels) in enumerate(heights.items()):
        dashes = (0, style.DASHES[index % len(style.DASHES)])
        label = " = ".join(labels)
        ax.axhline(height, color=style.GREY, linestyle=dashes, linewidth=1.2, label=label)
    for row in (row for own in flat.values() for row in own if row.get(f"{metric}_sd")):
        ax.axhspan(*_band([row], metric), color=style.GREY, alpha=0.1, linewidth=0)
    if by == "layer":
        style.whole_numbers(ax.xaxis)
    else:
        numbers = sorted({row[by] for own in lines.values() for row in own})
        ax.set_xscale("log")
        ax.set_xticks(numbers, [f"{n:,}" for n in numbers])
        ax.set_xticks([], minor=True)
    ax.set(xlabel=_AXES[by], ylabel=f"{NAMES[metric]} in per cent")
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set(parse_math=False, text=visible(text.get_text()))
    title = f"{NAMES[metric]} by {_AXES[by]}, {_bands(scored, metric)}"
    if any(row.get("key") in letters for row in scored):
        title += "; layers of a curve that share a letter do not differ"
    style.put_title(ax, title, scored, correlations=metric in ("dspr", "nspr"))
    return ax


def has_curve(rows: Sequence[Mapping[str, Any]], metric: str, by: str = "layer") -> bool:
    """Tell whether some method has a score on several layers, or for several training sets."""
    curves = _Curves(metric, {}, by)
    scored = [row for row in rows if row.get(metric) is not None and curves.has_place(row)]
    return any(len({row[by] for row in own}) > 1 for own in curves.of(scored).values())


def _band(rows: Sequence[Mapping[str, Any]], metric: str) -> tuple[float, float]:
    """Give the ends of a band in per cent, NaN where there is none."""
    bands = [band for row in rows if (band := band_of(row, metric)) is not None]
    low, high = ([{"end": band[at]} for band in bands] for at in (0, 1))
    return style.mean_of(low, "end"), style.mean_of(high, "end")


def _bands(rows: Sequence[Row], metric: str) -> str:
    """Say what the bands of a panel are."""
    intervals = "with 95% bootstrap intervals over sentences"
    if not (seeds := tell_seeds(rows)):
        return intervals
    told = f"means over {seeds}, with bands of one standard deviation over seeds"
    single = any(not row.get("n_seeds") and row.get(f"{metric}_low") is not None
                 and row.get("layer") is not None for row in rows)  # fmt: skip
    return f"{told}; of a single seed {intervals}" if single else told
