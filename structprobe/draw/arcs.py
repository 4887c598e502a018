"""What all drawings share: two trees compared arc by arc, and arcs stacked without touching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.tokens import visible
from structprobe.errors import TreeError
from structprobe.trees import edges


@dataclass(frozen=True, slots=True)
class Arc:
    """One arc of a tree, words counted from 0."""

    head: int
    dependent: int
    shared: bool
    distance: float | None = None  # What is written on it, where distances are asked for

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
        """Give the tree over the same words in reverse order."""
        last = len(self.arcs)
        arcs = [
            replace(arc, head=last - arc.head, dependent=last - arc.dependent) for arc in self.arcs
        ]
        return Tree(tuple(arcs[::-1]), last - self.root, self.root_shared)


def compare(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    distances: ArrayLike | None = None,
) -> tuple[tuple[str, ...], Tree, Tree | None]:
    """Check what is to be drawn, and mark where gold and recovered tree agree."""
    # heads (n,), pred_heads (n,), distances (n, n)
    given = [heads] if pred_heads is None else [heads, pred_heads]
    found = [np.asarray(one) for one in given]
    for name, one in zip(("heads", "pred_heads"), found, strict=False):
        if one.shape != (len(words),):
            raise TreeError(
                f"{name} of shape {one.shape} do not go with {len(words)} words",
                hint="give one head a word",
            )
    joined = [set(map(tuple, edges(one).tolist())) for one in found]
    lengths = _lengths(distances, len(words))
    trees = [_tree(one, found[-1 - i], joined[-1 - i], lengths) for i, one in enumerate(found)]
    return tuple(map(visible, words)), trees[0], trees[1] if len(trees) > 1 else None


def stack(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Give each arc a level, so that arcs lie over all shorter ones that they overlap."""
    levels = [0] * len(spans)
    placed: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: spans[index][1] - spans[index][0]):
        first, last = spans[index]
        below = [levels[i] for i in placed if spans[i][0] < last and first < spans[i][1]]
        levels[index] = 1 + max(below, default=0)
        placed.append(index)
    return levels


def _lengths(distances: ArrayLike | None, n: int) -> np.ndarray | None:
    """Give the distances as a matrix."""
    if distances is None:
        return None
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.shape != (n, n):
        raise TreeError(
            f"distances of shape {matrix.shape} do not go with {n} words",
            hint="give one for each two words",
        )
    return matrix


def _tree(
    heads: np.ndarray,
    other: np.ndarray,
    joined: set[tuple[int, ...]],
    lengths: np.ndarray | None,
) -> Tree:
    """One tree beside the heads and the edges of another."""
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
