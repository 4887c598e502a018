"""The words of a sentence in the probe's space, on its two principal axes, the tree over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.draw.arcs import Tree, compare
from structprobe.draw.palette import STROKES
from structprobe.draw.word_display import cells
from structprobe.errors import ResultError
from structprobe.show.pictures.library import fonts_for
from structprobe.show.pictures.style import axes_or_new, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where a word may stand about its point, in points: the first that is free is taken.
_PLACES = ((5, 4), (5, -10), (-5, 4), (-5, -10), (0, 9), (0, -15), (9, -3), (-9, -3))
_POINT = 1 / 72  # in inches


def principal_axes(distances: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place words by their squared distances on the two axes along which they vary most."""
    # distances (n, n) -> (n, 2), (2,)
    squared = np.asarray(distances, dtype=np.float64)
    n = len(squared)
    centring = np.eye(n) - 1 / n  # (n, n)
    values, vectors = np.linalg.eigh(-0.5 * centring @ squared @ centring)
    values = np.maximum(values[::-1], 0)
    places = np.zeros((n, 2))
    known = min(n, 2)
    places[:, :known] = (vectors[:, ::-1] * np.sqrt(values))[:, :known]
    shares = np.zeros(2)
    shares[:known] = values[:known] / max(values.sum(), np.finfo(float).tiny)
    return places, shares


def draw_principal_axes(
    words: Sequence[str],
    heads: ArrayLike,
    distances: ArrayLike,
    pred_heads: ArrayLike | None = None,
    *,
    row: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the projected words on their two principal axes, with the gold tree over them.

    Parameters
    ----------
    words, heads
        As for `draw_text`.
    distances : array_like of float, shape (n, n)
        The distances that a structural probe predicted: squared L2 distances of the projected
        words.
    pred_heads
        As for `draw_text`.
    row, ax
        As for `draw_depths`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, on one scale; the root has a ring.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, heads are not a tree, or shapes disagree.
    """
    shown, gold, pred = compare(words, heads, pred_heads, distances)
    if not np.isfinite(np.asarray(distances, dtype=np.float64)).all():
        raise ResultError("the distances are not all finite")
    places, shares = principal_axes(distances)
    ax = axes_or_new(ax, 6.8, 5.4)
    _draw_edges(ax, places, gold, "missed" if pred else "gold")
    if pred:
        _draw_edges(ax, places, pred, "wrong")
    ax.plot(*places.T, "o", color="black", markersize=4, zorder=3)
    x, y = places[gold.root]
    ax.plot(x, y, "ko", markersize=11, fillstyle="none", zorder=3, label="gold root")
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12)
    first, second = (f"principal axis ({100 * share:.0f}% of the variance)" for share in shares)
    ax.set(xlabel=f"first {first}", ylabel=f"second {second}")
    _write_words(ax, places, shown)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    put_title(ax, "Projected words, with the gold tree", [row] if row else [])
    return ax


def _draw_edges(ax: Axes, places: NDArray[np.float64], tree: Tree, other: str) -> None:
    """Draw the edges of one tree; those that both trees have are drawn with the gold tree."""
    labels = {"gold": "gold edge", "right": "right", "missed": "missed", "wrong": "wrong"}
    for arc in tree.arcs:
        if other == "wrong" and arc.shared:
            continue
        style = "right" if other == "missed" and arc.shared else other
        colour, dashes = STROKES[style]
        ends = places[[arc.head, arc.dependent]]
        line = (0, dashes) if dashes else "-"
        ax.plot(*ends.T, color=colour, linewidth=1.4, linestyle=line, label=labels.pop(style, None))


def _write_words(ax: Axes, places: NDArray[np.float64], words: Sequence[str]) -> None:
    """Write each word beside its point, where it does not run into one already written."""
    families = fonts_for(words)
    inches = min(ax.bbox.width, ax.bbox.height) / ax.figure.dpi
    extent = max(np.ptp(places, axis=0).max(), np.finfo(float).tiny) * 1.3
    points = places / extent * inches / _POINT  # in points of print
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for word, place, (x, y) in zip(words, places, points, strict=True):
        width = 5.2 * cells(word)
        boxes = []
        for dx, dy in _PLACES:
            left = x + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
            boxes.append((left, y + dy, left + width, y + dy + 8))
        hits = [sum(_meet(box, one) for one in taken) for box in boxes]
        best = int(np.argmin(hits))
        taken.append(boxes[best])
        dx, dy = _PLACES[best]
        ax.annotate(word, place, (dx, dy), textcoords="offset points", fontsize=9, zorder=4,
                    ha="right" if dx < 0 else "left" if dx else "center",
                    fontfamily=families, parse_math=False)  # fmt: skip


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
