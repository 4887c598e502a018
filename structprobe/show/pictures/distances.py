"""Gold and predicted distances between the words of a sentence, side by side on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.word_display import is_right_to_left
from structprobe.errors import ResultError, counted
from structprobe.show.pictures.style import SCALE, new_figure, put_title, word_labels
from structprobe.trees import tree_distances

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_distances(
    words: Sequence[str],
    heads: ArrayLike,
    distances: ArrayLike,
    *,
    row: Mapping[str, Any] | None = None,
    direction: str = "auto",
    ax: Sequence[Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Draw the gold and the predicted distances of one sentence.

    Parameters
    ----------
    words, heads
        As for `draw_text`.
    distances : array_like of float, shape (n, n)
        The predicted distances, in edges.
    row, direction
        As for `draw_depths`.
    ax : pair of matplotlib.axes.Axes, optional
        Where to draw gold and predicted; by default in a new figure.

    Returns
    -------
    gold, predicted : matplotlib.axes.Axes
        The axes, both on the scale from 0 to the greatest distance of the two.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the heads are not a tree, or shapes disagree.
    """
    gold, pred = tree_distances(heads), np.asarray(distances, dtype=np.float64)
    n = len(words)
    if not gold.shape == pred.shape == (n, n):
        raise ResultError(
            f"gold distances of shape {gold.shape} and predicted distances of shape {pred.shape} "
            f"do not match {counted(n, 'word')}"
        )
    if ax is None:
        side = 1.8 + 0.22 * n
        ax = new_figure(2 * side + 0.6, side + 0.4).subplots(1, 2)
    left, right = ax
    greatest = max(gold.max(), pred.max(), 1)
    for axes, table in ((left, gold), (right, pred)):
        image = axes.imshow(table, cmap=SCALE, vmin=0, vmax=greatest)
        word_labels(axes.xaxis, words, rotation=90, fontsize=8)
        word_labels(axes.yaxis, words, fontsize=8)
        if is_right_to_left(tuple(words), direction):
            axes.invert_xaxis()
    left.figure.colorbar(image, ax=[left, right], label="distance in edges", shrink=0.8)
    put_title(left, "Gold distances", [row] if row else [], to=right)
    put_title(right, "Predicted distances", [])
    return left, right
