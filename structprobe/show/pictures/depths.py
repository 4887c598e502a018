"""Gold and predicted depths of the words along a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.word_display import is_right_to_left
from structprobe.errors import ResultError
from structprobe.show.pictures.style import (
    COLOURS,
    GREY,
    axes_or_new,
    put_title,
    whole_numbers,
    word_labels,
)
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
    words : sequence of str, length n
        The words, written along the lower axis.
    heads : array_like of int, shape (n,)
        The gold heads, 1-based, 0 for the root's.
    depths : array_like of float, shape (n,)
        The predicted depths, in edges; the gold root's is 0.
    row : mapping, optional
        The result row that the prediction belongs to; the title tells of it.
    direction : {"auto", "ltr", "rtl"}
        Where the sentence begins; "auto" goes by the letters.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure, ``ax.figure`` of what is returned.

    Returns
    -------
    matplotlib.axes.Axes
        Depth grows downwards, as in a tree.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the heads are no tree, or shapes disagree.
    """
    gold, pred = tree_depths(heads), np.asarray(depths, dtype=np.float64)
    n = len(words)
    if not gold.shape == pred.shape == (n,):
        raise ResultError(
            f"gold depths of shape {gold.shape}, predicted ones of shape {pred.shape} and {n} "
            "words do not go together"
        )
    ax = axes_or_new(ax, 2.2 + 0.36 * n, 3.6)
    places = range(n)
    ax.plot(places, gold, color=GREY, marker="o", label="gold")
    ax.plot(places, pred, color=COLOURS[1], marker="s", linestyle="--", label="predicted")
    word_labels(ax.xaxis, words, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_ylabel("depth in edges")
    whole_numbers(ax.yaxis)
    ax.invert_yaxis()
    if is_right_to_left(tuple(words), direction):
        ax.invert_xaxis()
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    put_title(ax, "Depth along the sentence", [row] if row else [])
    return ax
