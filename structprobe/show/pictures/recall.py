"""Which gold edges are found: by their relation, and by their length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from structprobe.draw.word_display import visible
from structprobe.errors import ResultError
from structprobe.scores.breakdowns import by_range
from structprobe.scores.result import Scores
from structprobe.show.pictures.style import COLOURS, axes_or_new, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The first length of each bar; the last bar is open.
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 10, 15, 20, 30)


def draw_recall_by_deprel(
    scores: Scores, *, row: Mapping[str, Any] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the share of gold edges that are found, by relation.

    Parameters
    ----------
    scores : Scores
        Scores of a treebank with relations.
    row, ax
        As for `draw_depths`.

    Returns
    -------
    matplotlib.axes.Axes
        One bar per relation, without subtypes, the most frequent at the top, with the number of
        edges.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, or no edge was scored or has a relation.
    """
    tallies = sorted(scores.by_deprel.items(), key=lambda one: (-one[1].total, one[0]))
    if not tallies:
        raise ResultError("no edge with a relation was scored")
    ax = axes_or_new(ax, 6.4, 1.4 + 0.22 * len(tallies))
    places = range(len(tallies))
    values = [100 * one.correct / one.total for _, one in tallies]
    ax.barh(places, values, color=COLOURS[0])
    for place, value, (_, one) in zip(places, values, tallies, strict=True):
        ax.text(value + 1, place, f"{one.total:,}", va="center", fontsize=8)
    ax.set_yticks(places, [visible(name) for name, _ in tallies], fontsize=8, parse_math=False)
    ax.invert_yaxis()
    ax.set_ylim(len(tallies) - 0.4, -0.6)
    ax.set(xlim=(0, 112), xlabel="gold edges recovered, in per cent (numbers: gold edges)")
    ax.set_xticks(range(0, 101, 20))
    put_title(
        ax,
        "Recall by relation, regardless of direction",
        [scores.to_dict() if row is None else row],
    )
    return ax


def draw_recall_by_length(
    scores: Scores, *, row: Mapping[str, Any] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the share of gold edges that are found, by length.

    Parameters
    ----------
    scores, row, ax
        As for `draw_recall_by_deprel`; relations are not needed.

    Returns
    -------
    matplotlib.axes.Axes
        One bar for each length in words from 1 to 6, then 7 to 9, 10 to 14, 15 to 19, 20 to 29
        and the rest, with the number of edges.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, or no edge was scored.
    """
    tallies = by_range(scores.by_arc_length, LENGTHS)
    if not tallies:
        raise ResultError("no edge was scored")
    ax = axes_or_new(ax, 6.4, 4)
    places = range(len(tallies))
    values = [100 * one.correct / one.total for one in tallies.values()]
    ax.bar(places, values, color=COLOURS[0])
    for place, value, one in zip(places, values, tallies.values(), strict=True):
        ax.text(place, value + 1, f"{one.total:,}", ha="center", fontsize=8)
    ax.set_xticks(places, list(tallies))
    ax.set(ylim=(0, 108), xlabel="length of the edge, in words")
    ax.set_yticks(range(0, 101, 20))
    ax.set_ylabel("gold edges recovered, in per cent (numbers: gold edges)")
    put_title(
        ax,
        "Recall by length of the edge, regardless of direction",
        [scores.to_dict() if row is None else row],
    )
    return ax
