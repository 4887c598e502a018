"""How the tree over the words so far changes as a sentence goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.palette import INK, STROKES
from structprobe.draw.word_display import is_right_to_left, visible
from structprobe.errors import ResultError, counted
from structprobe.experiments.instruments.prefixes import prefix_trees
from structprobe.recoverers.base import Recoverer
from structprobe.show.pictures import style
from structprobe.show.pictures.files import write_pictures
from structprobe.show.pictures.library import fonts_for, load_matplotlib
from structprobe.show.pictures.trees import choose_sentence, tree_name
from structprobe.tree_faults import checked_depths, join_heads
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 25  # of the line of an arc
_TALLEST = 0.82  # of an arc, in rows
_LABELS = {"right": "right", "wrong": "wrong", "missed": "gold, missed"}

_Pairs = set[tuple[int, int]]


def draw_unfolding(
    words: Sequence[str],
    trees: Sequence[ArrayLike],
    heads: ArrayLike | None = None,
    *,
    row: Mapping[str, Any] | None = None,
    direction: str = "auto",
    ax: Axes | None = None,
) -> Axes:
    """Draw the tree of each prefix of a sentence, one row per prefix.

    Parameters
    ----------
    words : sequence of str
        The n words.
    trees : sequence of array_like of int, each (k,)
        The trees of the first 1, 2, ..., n words, as from `prefix_trees`: 1-based heads, 0 for the
        root, -1 for words that are left out.
    heads : array_like of int, shape (n,), optional
        The gold heads. Edges of a row are right or wrong, and gold edges between its words that
        are not in the tree are missed; edges of words that are left out do not count.
    row : mapping, optional
        What the title says, such as a row of `read_incremental`.
    direction
        As for `draw_text`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes; the sentence goes on downwards. Each row is named after its last word.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the gold heads are not a tree, or shapes disagree.
    """
    n, parts = len(words), [np.asarray(one) for one in trees]
    if [one.shape for one in parts] != [(k,) for k in range(1, n + 1)]:
        sizes = ", ".join("×".join(map(str, one.shape)) for one in parts)
        told = f"trees of {sizes or 0} heads for {counted(n, 'word')}"
        raise ResultError(told, hint="give one for each prefix, of 1, 2, ... heads")
    gold = _gold_edges(heads, parts[-1]) if heads is not None else None
    ax = style.axes_or_new(ax, 1.8 + 0.5 * n, 1.2 + 0.42 * n)
    for k, own in enumerate(parts, start=1):
        ax.plot(range(k), [k] * k, ".", color=INK, markersize=2.5)
        for kind, pairs in _kinds(_edges(own), gold, k).items():
            for pair in sorted(pairs):
                _draw_arc(ax, pair, k, kind, n)
    last = [visible(word) for word in words]
    ax.set_yticks(range(1, n + 1), last, fontsize=8, fontfamily=fonts_for(last), parse_math=False)
    style.word_labels(ax.xaxis, words, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set(xlim=(-0.6, n - 0.4), ylim=(n + 0.4, 0))
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    turned = is_right_to_left(tuple(words), direction)
    if turned:
        ax.invert_xaxis()
        ax.yaxis.tick_right()
    if gold is not None:
        lines = [ax.plot([], [], label=label, **_look(kind))[0] for kind, label in _LABELS.items()]
        ax.legend(
            handles=lines, loc="upper left" if turned else "upper right", fontsize=8, frameon=False
        )
    style.put_title(ax, "The tree after each word", [row] if row else [])
    return ax


def _edges(heads: np.ndarray[Any, Any]) -> _Pairs:
    """List the edges of a tree, words counted from 0."""
    arcs = [(word, head - 1) for word, head in enumerate(heads.tolist()) if head > 0]
    return {(min(arc), max(arc)) for arc in arcs if arc[0] != arc[1]}  # itself: no head


def _gold_edges(heads: ArrayLike, last: np.ndarray[Any, Any]) -> _Pairs:
    """List the gold edges between words that the last tree does not leave out."""
    gold = np.asarray(heads)
    if gold.shape != last.shape:
        raise ResultError(f"gold heads of shape {gold.shape} for {counted(len(last), 'word')}")
    checked_depths(*join_heads([gold]))
    return {pair for pair in _edges(gold) if min(last[list(pair)]) >= 0}


def _kinds(found: _Pairs, gold: _Pairs | None, k: int) -> dict[str, _Pairs]:
    """Sort the edges of the first `k` words by how they are drawn."""
    if gold is None:
        return {"gold": found}
    come = {pair for pair in gold if max(pair) < k}
    return {"missed": come - found, "wrong": found - come, "right": found & come}


def _draw_arc(ax: Axes, pair: tuple[int, int], row: int, kind: str, n: int) -> None:
    """Draw an edge over its row, the longer the higher."""
    first, last = pair
    angles = np.linspace(0, np.pi, _POINTS)
    x = (first + last) / 2 - (last - first) / 2 * np.cos(angles)
    tall = _TALLEST * ((last - first) / max(1, n - 1)) ** 0.5
    ax.plot(x, row - tall * np.sin(angles), **_look(kind))


def _look(kind: str) -> dict[str, Any]:
    """Give the colour and the dashes of an edge."""
    stroke = STROKES[kind]
    dashes = [length / 1.3 for length in stroke.dashes]
    return {
        "color": stroke.colour, "linewidth": 1.3, "dash_capstyle": "butt",
        "linestyle": (0, dashes) if dashes else "-",
    }  # fmt: skip


def save_unfolding(
    recoverer: Recoverer,
    sentences: Sequence[Sentence],
    out: str | os.PathLike[str],
    *,
    sent_id: str | None = None,
    formats: Sequence[str] = ("pdf",),
    punct: str | None = None,
    restart: bool = False,
    force: bool = False,
) -> list[Path]:
    """Draw how the tree of one sentence unfolds, the named one or the first of usual length."""
    load_matplotlib()
    place = choose_sentence(sentences, sent_id)
    one = sentences[place]
    (trees,) = prefix_trees(recoverer, [one], punct=punct, restart=restart, progress=False)
    row = {**recoverer.describe(), "sent_id": one.sent_id}
    figure: Any = draw_unfolding(one.words, trees, one.heads, row=row).figure
    name = tree_name(one, place).replace("tree", "unfolding", 1)
    return write_pictures({name: figure}, out, formats=formats, force=force, progress=False)
