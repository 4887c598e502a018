"""Gold and predicted depths of the words along a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.word_display import is_right_to_left
from structprobe.errors import ResultError, counted
from structprobe.show.pictures import style
from structprobe.trees import tree_depths

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_depths(
    words: Sequence[str],
    heads: ArrayLike,
    depths: ArrayLike,
    *,
    row: Mapping[str, Any] | None = None,
    direction: str = "auto",
    ax: Axes | None = None,
) -> Axes:
    """Draw the gold and the predicted depth of each word.

    Parameters
    ----------
    words, heads
        As for `draw_text`.
    depths : array_like of float, shape (n,)
        The predicted depths, in edges.
    row : mapping, optional
        The result row of the prediction, for the title.
    direction
        As for `draw_text`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; depth grows downwards.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the heads are not a tree, or shapes disagree.
    """
    gold, pred = tree_depths(heads), np.asarray(depths, dtype=np.float64)
    n = len(words)
    if not gold.shape == pred.shape == (n,):
        raise ResultError(
            f"gold depths of shape {gold.shape} and predicted depths of shape {pred.shape} do not "
            f"match {counted(n, 'word')}"
        )
    ax = style.axes_or_new(ax, 2.2 + 0.36 * n, 3.6)
    ax.plot(gold, color=style.GREY, marker="o", label="gold")
    ax.plot(pred, color=style.COLOURS[1], marker="s", linestyle="--", label="predicted")
    style.word_labels(ax.xaxis, words, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_ylabel("depth in edges")
    style.whole_numbers(ax.yaxis)
    ax.invert_yaxis()
    if is_right_to_left(tuple(words), direction):
        ax.invert_xaxis()
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    style.put_title(ax, "Depth along the sentence", [row] if row else [])
    return ax
