"""What all drawings share: comparing two trees arc by arc, and stacking arcs."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from structprobe.draw.word_display import visible
from structprobe.errors import TreeError, counted, refuse_kind
from structprobe.trees import edges

DIFFERS = "*"  # before a relation that the gold tree does not have there


@dataclass(frozen=True, slots=True)
class Arc:
    """One arc of a tree, words counted from 0."""

    head: int
    dependent: int
    shared: bool
    distance: float | None = None  # Written on it, if distances are shown
    relation: str = ""  # Likewise; empty where there is none
    differs: bool = False  # Whether the gold tree has the edge, but not this arc and relation

    @property
    def number(self) -> str:
        """The distance with one decimal; empty where there is none."""
        return "" if self.distance is None else f"{self.distance:.1f}"

    @property
    def named(self) -> str:
        """The relation, marked if it differs."""
        return DIFFERS * self.differs + self.relation

    @property
    def label(self) -> str:
        """What is written on the arc."""
        return " ".join(filter(None, (self.named, self.number)))


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree to draw."""

    arcs: tuple[Arc, ...]  # Its arcs, by dependent
    root: int  # Its root, 0-based
    root_shared: bool  # Whether the other tree has the same root
    marked: bool = False  # Whether its relations are compared with those of the other

    @property
    def n_differs(self) -> int:
        """The number of shared edges whose direction or relation is not that of the gold tree."""
        return sum(arc.differs for arc in self.arcs)

    @property
    def n_shared(self) -> int:
        """The number of arcs that the other tree shares."""
        return sum(arc.shared for arc in self.arcs)

    def mirrored(self) -> Tree:
        """Return the tree over the same words in reverse order."""
        last = len(self.arcs)
        arcs = (replace(a, head=last - a.head, dependent=last - a.dependent) for a in self.arcs)
        return replace(self, arcs=tuple(arcs)[::-1], root=last - self.root)


def compare(
    words: Sequence[str],
    heads: ArrayLike,
    pred_heads: ArrayLike | None = None,
    distances: ArrayLike | None = None,
    deprels: Sequence[str] | None = None,
    pred_deprels: Sequence[str] | None = None,
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
    if pred_deprels is not None and pred_heads is None:
        raise TreeError("pred_deprels without pred_heads", hint="pass one tree as heads, deprels")
    named = [
        _relations(name, one, len(words))
        for name, one in (("deprels", deprels), ("pred_deprels", pred_deprels))
    ]
    joined = [set(map(tuple, edges(one).tolist())) for one in found]  # checks that they are trees
    trees = [
        _tree(one, found[-1 - i], joined[-1 - i], distances, named[i])
        for i, one in enumerate(found)
    ]
    gold, pred = trees[0], trees[1] if len(trees) > 1 else None
    if pred and all(map(all, named)):
        pred = _marked(pred, gold)
    return tuple(map(visible, words)), gold, pred


def count_edges(gold: Tree, pred: Tree) -> dict[str, int]:
    """Count the right, missed and wrong edges."""
    n = len(gold.arcs)
    return {"right": pred.n_shared, "missed": n - gold.n_shared, "wrong": n - pred.n_shared}


def tell_relations(pred: Tree) -> str:
    """Say what the mark of relations means, and how often it stands there."""
    return f"{DIFFERS}: {pred.n_differs} of these with wrong direction or relation"


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


def _relations(name: str, deprels: Sequence[str] | None, n: int) -> list[str]:
    """Check relations, and give them as they are shown: empty where there is none."""
    if deprels is None:
        return [""] * n
    if isinstance(deprels, str) or not isinstance(deprels, Sized):
        refuse_kind(name, deprels, "a list of relations", TreeError)
    if len(deprels) != n:
        what = f"{name} with {counted(len(deprels), 'relation')} do not match {counted(n, 'word')}"
        raise TreeError(what, hint="give one relation per word")
    for at, one in enumerate(deprels):
        if not isinstance(one, str):
            refuse_kind(f"{name}[{at}]", one, "a relation", TreeError)
    return ["" if one == "_" else visible(one) for one in deprels]


def _tree(
    heads: np.ndarray,
    other: np.ndarray,
    joined: set[tuple[int, ...]],
    lengths: np.ndarray | None,
    relations: Sequence[str],
) -> Tree:
    """Make one tree, compared with the heads and edges of another."""
    arcs = [
        Arc(
            head - 1,
            word,
            (min(head - 1, word), max(head - 1, word)) in joined,
            None if lengths is None else float(lengths[word, head - 1]),
            relations[word],
        )
        for word, head in enumerate(heads.tolist())
        if head
    ]
    root = int(np.flatnonzero(heads == 0)[0])
    return Tree(tuple(arcs), root, bool(other[root] == 0))


def _marked(pred: Tree, gold: Tree) -> Tree:
    """Mark what LAS does not count of the edges that UUAS counts."""
    known = {(arc.head, arc.dependent): arc.relation for arc in gold.arcs}

    def differs(arc: Arc) -> bool:
        wanted = known.get((arc.head, arc.dependent), "")  # Nothing where the arc is turned
        # Without subtypes, as the official UD evaluation compares them.
        return arc.shared and wanted.partition(":")[0] != arc.relation.partition(":")[0]

    arcs = tuple(replace(arc, differs=differs(arc)) for arc in pred.arcs)
    return replace(pred, arcs=arcs, marked=True)
