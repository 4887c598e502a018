"""The best trees for arc scores, crossing arcs allowed: Chu-Liu/Edmonds with exactly one root.

Chu & Liu (1965), Edmonds (1967); for parsing, McDonald et al. (2005), 'Non-projective dependency
parsing using spanning tree algorithms'. Nodes grow into a path along their best incoming arcs; a
cycle on the path is contracted into one node (Gabow et al. 1986). A contracted node is a row of
best arcs into it from every word, so that contraction is a maximum over rows, and O(n²) in all.

Many matrices go in lockstep: one step takes one arc in every matrix, which lengthens the path, or
closes a cycle, which is contracted at once.

The one root and the forbidden arcs are exact, with no large constant mixed into the scores: weights
are pairs (penalty, score) compared by penalty first, and Chu-Liu/Edmonds only adds, subtracts and
compares weights. An arc from the root costs one penalty, a forbidden arc more than all roots. The
pairs are complex numbers, minus the penalty as the real part and the score as the other, since
numpy orders complex numbers by the real part first.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError, counted
from structprobe.trees.arc_scores import check_arc_scores, forbidden_arcs, no_tree
from structprobe.trees.padding import group_by_length

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]


def arborescence(arc_scores: ArrayLike, *, root: int | None = None) -> NDArray[np.intp]:
    """Find the tree with the highest sum of arc scores and exactly one root (Chu-Liu/Edmonds).

    Parameters
    ----------
    arc_scores : array_like, shape (n, n + 1)
        ``arc_scores[i, h]`` is the score of head `h` (1-based, 0 = root) for word `i` (0-based);
        ``-inf`` forbids the arc. Arcs from a word to itself are ignored.
    root : int, optional
        The 1-based word that must be the root; by default the best root is chosen.

    Returns
    -------
    ndarray of int, shape (n,)
        The head of each word, 1-based, 0 for the root. Ties between arcs into a node go to the
        lower head, so the same scores always give the same tree.

    Raises
    ------
    TreeError
        If a score is NaN or ``+inf``, the shape is wrong, `root` is out of range, or the forbidden
        arcs leave no tree.

    Examples
    --------
    Words 1 and 2 each score highest as head of the other (9 and 8): a cycle. It is best entered at
    word 2, from the root (5), which keeps the 9.

    >>> arborescence([[1, 0, 9], [5, 8, 0]]).tolist()
    [2, 0]

    Chosen one by one, both words would be roots (3 + 3); with one root, the best sum is 3 + 2.

    >>> arborescence([[3, 0, 1], [3, 2, 0]]).tolist()
    [0, 1]
    >>> arborescence([[3, 0, 1], [3, 2, 0]], root=2).tolist()
    [2, 0]
    """
    scores = check_arc_scores(arc_scores)
    n = len(scores)
    if root is not None:
        if not 1 <= root <= n:
            raise TreeError(f"root {root} is not a word", hint=f"choose from 1 to {n}")
        scores[np.arange(n) != root - 1, 0] = -np.inf
    heads: Ints = _decode(scores[None], np.array([n]), np.isneginf(scores)[None])[0]
    return heads


def arborescences(
    arc_scores: ArrayLike, lengths: ArrayLike, *, roots: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Find the best tree of each sentence in a padded batch, as `arborescence` does.

    Where there are no root scores, as in attention, pass a column of zeros for the root: a tree has
    exactly one root arc, so the arcs between words then decide the root.

    Parameters
    ----------
    arc_scores : array_like, shape (b, n, n + 1)
        The scores of each sentence, as for `arborescence`; the padding is ignored.
    lengths : array_like of int, shape (b,)
        The number of words of each sentence.
    roots : array_like of int, shape (b,), optional
        The 1-based word of each sentence that must be its root; by default the best.

    Returns
    -------
    ndarray of int, shape (b, n)
        The head of each word, 1-based, 0 for the root, -1 in the padding.

    Raises
    ------
    TreeError
        As for `arborescence`, with the index of the sentence; and if the shapes do not match.

    Examples
    --------
    >>> padded, ties = [[1, 0, 9, 0], [5, 8, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3
    >>> arborescences([padded, ties], lengths=[2, 3]).tolist()
    [[2, 0, -1], [0, 1, 1]]
    >>> arborescences([padded, ties], lengths=[2, 3], roots=[1, 2]).tolist()
    [[0, 1, -1], [2, 0, 1]]
    """
    scores, sizes = np.asarray(arc_scores), np.asarray(lengths, dtype=np.intp)
    b, n = (*scores.shape, 0, 0)[:2]
    rooted = None if roots is None else np.asarray(roots, dtype=np.intp)
    if scores.shape != (b, n, n + 1) or sizes.shape != (b,):
        what = f"arc scores of shape {scores.shape} do not match lengths of shape {sizes.shape}"
        hint = "pass arc scores of shape (b, n, n + 1) and lengths of shape (b,)"
        raise TreeError(what, hint=hint)
    _check_sizes(sizes, n, rooted)
    heads = np.full((b, n), -1, dtype=np.intp)
    for group in group_by_length(sizes):
        longest = sizes[group[-1]]
        part = scores[group, :longest, : longest + 1].astype(np.float64, copy=False)
        forbidden = forbidden_arcs(part, sizes[group], group)
        if rooted is not None:
            forbidden[:, :, 0] |= np.arange(longest) != rooted[group, None] - 1
        heads[group, :longest] = _decode(part, sizes[group], forbidden, group)
    return heads


def _check_sizes(lengths: Ints, n: int, roots: Ints | None) -> None:
    wrong = np.flatnonzero((lengths < 1) | (lengths > n))
    if len(wrong):
        padded = f"sentences padded to {counted(n, 'word')}"
        what = f"length {lengths[wrong[0]]} is out of range for {padded}"
        raise TreeError(what, sentence=int(wrong[0]), hint=f"choose from 1 to {n}")
    if roots is None:
        return
    if roots.shape != lengths.shape:
        raise TreeError(f"roots have shape {roots.shape}, but lengths {lengths.shape}")
    wrong = np.flatnonzero((roots < 1) | (roots > lengths))
    if len(wrong):
        index = int(wrong[0])
        what, hint = f"root {roots[index]} is not a word", f"choose from 1 to {lengths[index]}"
        raise TreeError(what, sentence=index, hint=hint)


def _decode(scores: Floats, lengths: Ints, forbidden: Bools, names: Ints | None = None) -> Ints:
    """Heads (b, n), -1 in the padding; `names` are the indices of the sentences, if several."""
    b, n, _ = scores.shape
    weights = np.empty(scores.shape, dtype=np.complex128)
    weights.real = np.where(forbidden, -(lengths[:, None, None] + 1), 0)
    weights.real[:, :, 0] -= 1
    weights.imag = np.where(forbidden, 0, scores)
    padding = np.arange(n) >= lengths[:, None]  # (b, n)
    weights.real[:, :, 1:][np.broadcast_to(padding[:, None], (b, n, n))] = -np.inf
    heads = _Lockstep(weights, padding).heads()
    taken = forbidden[np.arange(b)[:, None], np.arange(n), heads] & ~padding
    wrong = np.flatnonzero(taken.any(axis=1) | (((heads == 0) & ~padding).sum(axis=1) != 1))
    if len(wrong):
        raise no_tree("tree", sentence=None if names is None else int(names[wrong[0]]))
    heads[padding] = -1
    return heads


class _Lockstep:
    """The state of all matrices; nodes are the words and, from `n` on, the contracted cycles."""

    def __init__(self, weights: NDArray[np.complex128], padding: Bools) -> None:
        b, n, _ = weights.shape
        nodes = 2 * n
        self.weights = weights  # (b, n, n + 1): of arcs into a node, by its row and their head
        self.enters = np.empty((b, n, n + 1), dtype=np.int32)  # the word at which the arc does so
        self.enters[:] = np.arange(n)[:, None]
        self.row = np.tile(np.arange(nodes), (b, 1))  # (b, nodes): where a node's weights lie
        self.head = np.zeros((b, nodes), dtype=np.intp)
        self.dependent = np.zeros((b, nodes), dtype=np.intp)
        self.weight = np.zeros((b, nodes), dtype=np.complex128)  # of the arc taken into the node
        self.done = np.zeros((b, nodes), dtype=np.bool_)  # whether the node is joined to the root
        self.done[:, :n] = padding
        self.place = np.full((b, nodes), -1)  # of a node on the path, -1 off it
        self.path = np.zeros((b, n), dtype=np.intp)
        self.size = np.zeros(b, dtype=np.intp)  # of the path
        self.outermost = np.tile(np.arange(n), (b, 1))  # the node that holds each word
        self.inner = np.zeros((b, n, n), dtype=np.intp)  # and the one in cycle c that does
        self.cycles = np.zeros(b, dtype=np.intp)  # how many are contracted

    def heads(self) -> Ints:
        """Heads of the best trees (b, n)."""
        b, n = self.path.shape
        node = np.zeros(b, dtype=np.intp)
        going = np.arange(b)
        while len(going):
            best = self._take_best(going, node)
            above = self.outermost[going, best - 1]
            joined = (best == 0) | self.done[going, above]
            closed = ~joined & (self.place[going, above] >= 0)
            node = above
            if closed.any():
                node[closed] = self._contract(going[closed], self.place[going, above][closed])
            if joined.any():
                node[joined] = self._start_anew(going[joined])
                left = ~(joined & self.done[going, node])
                going, node = going[left], node[left]
        self._expand()
        return self.head[:, :n]

    def _take_best(self, going: Ints, node: Ints) -> Ints:
        """Put each node at the end of its path; take the first of the best arcs into it."""
        row = self.row[going, node]
        weights = self.weights[going, row]  # (g, n + 1)
        weights[:, 1:][self.outermost[going] == node[:, None]] = -np.inf
        best: Ints = weights.argmax(axis=1)
        self.head[going, node] = best
        self.dependent[going, node] = self.enters[going, row, best]
        self.weight[going, node] = weights[np.arange(len(going)), best]
        self.path[going, self.size[going]] = node
        self.place[going, node] = self.size[going]
        self.size[going] += 1
        return best

    def _start_anew(self, going: Ints) -> Ints:
        """End the path, now joined to the root; the next node not joined yet, if there is one."""
        place = self.place[going]
        self.done[going] |= place >= 0
        self.place[going] = -1
        self.size[going] = 0
        outermost = self.outermost[going]
        word = self.done[going[:, None], outermost].argmin(axis=1)
        following: Ints = outermost[np.arange(len(going)), word]
        return following

    def _contract(self, going: Ints, first: Ints) -> Ints:
        """Make one node of the path from place `first` on, and take it off the path."""
        n = self.path.shape[1]
        size = self.size[going] - first
        start = self.path[going, first]
        row = self.row[going, start]
        gain = self.weights[going, row] - self.weight[going, start][:, None]  # (g, n + 1)
        enters = self.enters[going, row]
        for step in range(1, size.max()):
            longer = np.flatnonzero(size > step)
            which = going[longer]
            other = self.path[which, first[longer] + step]
            other_row = self.row[which, other]
            more = self.weights[which, other_row] - self.weight[which, other][:, None]
            better = more > gain[longer]
            gain[longer] = np.where(better, more, gain[longer])
            enters[longer] = np.where(better, self.enters[which, other_row], enters[longer])
        # For every head, what entering the cycle gains over the cycle's own arc; in the row of its
        # first node, so that there are never more than n rows.
        self.weights[going, row], self.enters[going, row] = gain, enters
        cycle = self.cycles[going]
        node = n + cycle
        outermost = self.outermost[going]
        within = self.place[going[:, None], outermost] >= first[:, None]
        self.inner[going, cycle] = outermost
        self.outermost[going] = np.where(within, node[:, None], outermost)
        self.row[going, node] = row
        self.size[going] = first
        self.cycles[going] += 1
        return node

    def _expand(self) -> None:
        """From the outside in, let the arc into a cycle replace the one inside it there."""
        n = self.path.shape[1]
        for cycle in reversed(range(self.cycles.max())):
            which = np.flatnonzero(self.cycles > cycle)
            head, dependent = self.head[which, n + cycle], self.dependent[which, n + cycle]
            inner = self.inner[which, cycle, dependent]
            self.head[which, inner], self.dependent[which, inner] = head, dependent
