"""Layers × heads as heat maps, by matplotlib (the extra ``plot``)."""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from structprobe.attention.head_analysis import HeadAnalysis
from structprobe.errors import StructprobeError
from structprobe.progress import progress_bar
from structprobe.results.folder import ResultsFolder
from structprobe.show.head_tables import PUNCT
from structprobe.show.pictures import style
from structprobe.show.pictures.library import load_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_log = logging.getLogger(__name__)
ALIGNMENT = (
    "Dependency alignment of attention heads: percentage of the attention between words "
    "(including a word's attention to itself) that falls on pairs linked by an arc, in either "
    "direction; all words count"
)

_ACROSS = 4  # maps beside one another
_INCHES = 2.6


def draw_heat_map(values: ArrayLike, *, title: str | None = None, ax: Any = None) -> Axes:
    """Draw one value for each layer and head.

    Parameters
    ----------
    values : array_like of float, shape (n_layers, n_heads)
        Fractions, shown in per cent on a scale from 0 to the greatest; NaN is left blank.
    title : str, optional
        The title.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; layers grow upwards, heads to the right, both from 1.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, or `values` are not a table.
    """
    table = 100 * np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        hint = "give one for each layer and head"
        raise StructprobeError(f"values of shape {table.shape}", hint=hint)
    axes: Axes = style.axes_or_new(ax, 1.25 * _INCHES, _INCHES)
    n_layers, n_heads = table.shape
    extent = (0.5, n_heads + 0.5, 0.5, n_layers + 0.5)
    image = axes.imshow(
        table, origin="lower", extent=extent, aspect="auto", vmin=0, cmap=style.SCALE
    )
    axes.figure.colorbar(image, ax=axes)
    style.whole_numbers(axes.xaxis)
    style.whole_numbers(axes.yaxis)
    axes.set(xlabel="head", ylabel="layer")
    axes.set_title(title or "", parse_math=False)
    return axes


def heat_maps(tables: Mapping[str, ArrayLike], *, title: str | None = None) -> str:
    """Draw several heat maps on one page."""
    # tables (n_layers, n_heads)
    if not tables:
        raise StructprobeError("no tables to draw")
    across = min(_ACROSS, len(tables))
    down = math.ceil(len(tables) / across)
    figure = style.new_figure(1.25 * _INCHES * across, _INCHES * down)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, table) in zip(panels, tables.items(), strict=False):
        draw_heat_map(table, title=name, ax=axes)
    for axes in panels[len(tables) :]:
        axes.remove()
    if title:
        lines = style.wrapped(title, figure.get_figwidth())
        figure.suptitle(lines, x=0.01, ha="left", fontsize=style.TITLE_SIZE, parse_math=False)
    text = io.StringIO()
    with load_matplotlib().rc_context({"svg.hashsalt": "structprobe"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def save_heat_maps(
    analysis: HeadAnalysis, folder: str | os.PathLike[str], progress: bool | None = None
) -> None:
    """Draw an analysis of heads, or log why it cannot be drawn."""
    try:
        load_matplotlib()
    except StructprobeError as error:
        _log.warning("no heat maps: %s", error)
        return
    relations = {name: table.max(axis=0) for name, table in analysis.accuracy.items()}
    targets = {"dependency alignment": analysis.alignment, **analysis.shares}
    by_relation = (
        "Accuracy of attention heads by relation, in per cent, in the better direction; "
        "relations without subtypes; roots and special tokens excluded"
    )
    by_target = (
        f"{ALIGNMENT}. What heads look at: percentage of a word's total attention; "
        f"punctuation is {PUNCT[analysis.about['punct']]}"
    )
    pages = ("relations.svg", by_relation, relations), ("targets.svg", by_target, targets)
    results = ResultsFolder(folder)
    rows = np.array(analysis.layers) - 1

    def spread(table: ArrayLike) -> ArrayLike:
        """Leave the rows of layers without attention blank."""
        values = np.asarray(table)
        blank = np.full((analysis.layers[-1], values.shape[1]), np.nan)
        blank[rows] = values
        return blank

    with progress_bar("draw", len(pages), "file", shown=progress) as advance:
        for name, what, tables in pages:
            title = f"{what}\n{style.title_of([analysis.about])}"
            results.write(name, heat_maps({k: spread(v) for k, v in tables.items()}, title=title))
            advance(1)
