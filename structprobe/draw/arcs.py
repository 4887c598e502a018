"""What all drawings share: comparing two trees arc by arc, and stacking arcs."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.word_display import visible
from structprobe.errors import TreeError, counted, refuse_kind
from structprobe.trees import edges


@dataclass(frozen=True, slots=True)
class Arc:
    """One arc of a tree, words counted from 0."""

    head: int
    dependent: int
    shared: bool
    distance: float | None = None  # Written on it, if distances are shown

    @property
    def label(self) -> str:
        """The distance with one decimal; empty where there is none."""
        return "" if self.distance is None else f"{self.distance:.1f}"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree to draw."""

    arcs: tuple[Arc, ...]  # Its arcs, by dependent
    root: int  # Its root, 0-based
    root_shared: bool  # Whether the other tree has the same root

    @property
    def n_shared(self) -> int:
        """The number of arcs that the other tree shares."""
        return sum(arc.shared for arc in self.arcs)

    def mirrored(self) -> Tree:
        """Return the tree over the same words in reverse order."""
        last = len(self.arcs)
        arcs = (replace(a, head=last - a.head, dependent=last - a.dependent) for a in self.arcs)
        return Tree(tuple(arcs)[::-1], last - self.root, self.root_shared)


def compare(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    distances: ArrayLike | None = None,
) -> tuple[tuple[str, ...], Tree, Tree | None]:
    """Check the input, and mark the arcs on which gold and recovered tree agree."""
    # heads (n,), pred_heads (n,), distances (n, n)
    if not isinstance(words, Sized):
        refuse_kind("words", words, "a list of words", TreeError, "pass words and heads")
    found = [np.asarray(one) for one in ([heads] if pred_heads is None else [heads, pred_heads])]
    for name, one in zip(("heads", "pred_heads"), found, strict=False):
        if one.shape != (len(words),):
            raise TreeError(
                f"{name} of shape {one.shape} do not match {counted(len(words), 'word')}",
                hint="give one head per word",
            )
    if distances is not None:
        distances = np.asarray(distances, dtype=np.float64)
        if distances.shape != (len(words), len(words)):
            raise TreeError(
                f"distances of shape {distances.shape} do not match {counted(len(words), 'word')}",
                hint="give one distance for each pair of words",
            )
    joined = [set(map(tuple, edges(one).tolist())) for one in found]  # checks that they are trees
    trees = [_tree(one, found[-1 - i], joined[-1 - i], distances) for i, one in enumerate(found)]
    return tuple(map(visible, words)), trees[0], trees[1] if len(trees) > 1 else None


def count_edges(gold: Tree, pred: Tree) -> dict[str, int]:
    """Count the right, missed and wrong edges."""
    n = len(gold.arcs)
    return {"right": pred.n_shared, "missed": n - gold.n_shared, "wrong": n - pred.n_shared}


def stack(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Give each arc a level above all shorter arcs that it overlaps."""
    levels = [0] * len(spans)
    placed: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: spans[index][1] - spans[index][0]):
        first, last = spans[index]
        below = [levels[i] for i in placed if spans[i][0] < last and first < spans[i][1]]
        levels[index] = 1 + max(below, default=0)
        placed.append(index)
    return levels


def _tree(
    heads: np.ndarray, other: np.ndarray, joined: set[tuple[int, ...]], lengths: np.ndarray | None
) -> Tree:
    """Make one tree, compared with the heads and edges of another."""
    arcs = [
        Arc(
            head - 1,
            word,
            (min(head - 1, word), max(head - 1, word)) in joined,
            None if lengths is None else float(lengths[word, head - 1]),
        )
        for word, head in enumerate(heads.tolist())
        if head
    ]
    root = int(np.flatnonzero(heads == 0)[0])
    return Tree(tuple(arcs), root, bool(other[root] == 0))
