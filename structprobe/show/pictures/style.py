"""What all pictures share: colours, axes, titles, words along an axis."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from structprobe.draw.word_display import visible
from structprobe.errors import counted
from structprobe.show.pictures.library import fonts_for, load_matplotlib
from structprobe.show.row_labels import SCORES, protocols_of, short_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), in an order in which neighbours differ in lightness too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ((7, 3), (1, 2), (7, 2, 1, 2), (3, 2), (7, 2, 1, 2, 1, 2))
GREY = "#444444"  # of baselines
TITLE_SIZE = 8  # of letters, in points
SCALE = "cividis"  # of heat maps: even in lightness, and the same to red-green blind eyes
NAMES = SCORES | {"root_acc": "root accuracy"}


def new_figure(width: float, height: float, layout: Any = "constrained") -> Figure:
    """Make a figure that no window shows and nothing else keeps."""
    load_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Give the axes to draw on."""
    return new_figure(width, height).subplots() if ax is None else ax


def mean_of(rows: Sequence[Mapping[str, Any]], key: str, **where: object) -> float:
    """Mean of a score over the rows that have some values, in per cent; NaN where there is none."""
    fitting = [row for row in rows if all(row.get(one) == value for one, value in where.items())]
    values = [row[key] for row in fitting if row.get(key) is not None]
    return 100 * fmean(values) if values else math.nan


def title_of(rows: Sequence[Mapping[str, Any]], *, correlations: bool = False) -> str:
    """Say what a picture is of, and by which protocol it was scored."""
    model = _one(rows, "model")
    layer = _one([row for row in rows if row.get("model")], "layer")
    bank, part, n = (_one(rows, key) for key in ("treebank", "part", "n_sentences"))
    sent_id = _one(rows, "sent_id")
    first = [
        short_model(model) if model else "",
        f"layer {layer}" if layer is not None else "",
        _one(rows, "setting") or "",  # what tells it from others that are drawn
        " ".join(filter(None, (bank, f"({part})" if part else ""))),
        f"sentence {sent_id}" if sent_id else "",
        f"n = {counted(n, 'sentence')}" if n else "",
    ]
    protocols = [one.describe(correlations=correlations) for one in protocols_of(rows)]
    return "\n".join(filter(None, [", ".join(filter(None, first)), *protocols]))


def put_title(
    ax: Axes,
    what: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    to: Axes | None = None,
    **options: Any,
) -> None:
    """Put a title on axes, in lines as long as the axes are wide."""
    inches = ((ax if to is None else to).bbox.x1 - ax.bbox.x0) / ax.figure.dpi
    told = title_of(rows, **options)
    lines = wrapped(f"{what}\n{told}" if to is None else f"{told}\n{what}", inches)
    ax.set_title(lines, fontsize=TITLE_SIZE, loc="left", parse_math=False)


def wrapped(text: str, inches: float) -> str:
    """Break the lines of a title."""
    width = max(30, int(inches * 72 / (TITLE_SIZE * 0.52)))
    lines = [visible(line) for line in text.split("\n")]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, width))


def whole_numbers(axis: Any) -> None:
    """Let an axis have ticks at whole numbers alone."""
    axis.get_major_locator().set_params(integer=True)


def word_labels(axis: Any, words: Sequence[str], **options: Any) -> None:
    """Write words along an axis, the first at 0."""
    shown = [visible(word) for word in words]
    options |= {"fontfamily": fonts_for(shown), "parse_math": False}
    axis.set_ticks(range(len(shown)), shown, **options)


def _one(rows: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Give the value that all rows which have one share, or None."""
    values = {row.get(key) for row in rows} - {None}
    return values.pop() if len(values) == 1 else None
