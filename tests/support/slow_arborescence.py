"""Chu-Liu/Edmonds of one matrix, its nodes and weights kept apart: slow, and easy to follow.

Nodes grow into a path along their best incoming arcs; a cycle on the path is contracted into one
node. Weights are pairs (penalty, score) compared by penalty first: an arc from the root costs one
penalty, a forbidden arc more than all roots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slow_arborescence(arc_scores, root=None):
    """The heads of the best tree (n,), or None where there is none."""
    scores = np.array(arc_scores, dtype=np.float64)
    n = len(scores)
    scores[np.arange(n), np.arange(1, n + 1)] = -np.inf
    if root is not None:
        scores[np.arange(n) != root - 1, 0] = -np.inf
    forbidden = np.isneginf(scores)
    penalties = np.where(forbidden, n + 1, 0)
    penalties[:, 0] += 1
    heads = _best_arcs(np.where(forbidden, 0, scores), penalties)
    if forbidden[np.arange(n), heads].any() or (heads == 0).sum() != 1:
        return None
    return heads


def _best_arcs(scores: NDArray[np.float64], penalties: NDArray[np.intp]) -> NDArray[np.intp]:
    """Heads of the tree of the least sum of penalties and, among those, the greatest of scores.

    Nodes are the words 0 to n - 1 and, from n on, the contracted cycles. Row `v` of each table
    tells of the arcs that enter node `v`, by their heads 0 to n.
    """
    n = len(scores)
    size = 2 * n
    score = np.concatenate([scores, np.zeros((n, n + 1))])
    penalty = np.concatenate([penalties, np.zeros((n, n + 1), dtype=np.intp)])
    enters = np.zeros((size, n + 1), dtype=np.intp)  # the word at which the arc enters the node
    enters[:n] = np.arange(n)[:, None]
    within = np.zeros((size, n + 1), dtype=np.bool_)  # whether that head is in the node itself
    within[np.arange(n), np.arange(1, n + 1)] = True
    head, dependent = np.zeros(size, dtype=np.intp), np.zeros(size, dtype=np.intp)
    done = np.zeros(size, dtype=np.bool_)  # whether the node is joined to the root
    outermost = np.arange(n)  # the node that holds each word
    cycles: list[list[int]] = []  # the nodes of each contracted node
    for start in range(n):
        path: list[int] = []
        node = int(outermost[start])
        while not done[node]:
            if node in path:
                cycle = path[path.index(node) :]
                del path[-len(cycle) :]
                node = n + len(cycles)
                cycles.append(cycle)
                _contract(node, cycle, head, score, penalty, enters, within)
                outermost[within[node, 1:]] = node
            path.append(node)
            best = _first_best(score[node], penalty[node], ~within[node])
            head[node], dependent[node] = best, enters[node, best]
            if best == 0:
                break
            node = int(outermost[best - 1])
        done[path] = True
    # From the outside in: the arc into a cycle replaces the one inside it into the same node.
    for node in reversed(range(n, n + len(cycles))):
        for inner in cycles[node - n]:
            if within[inner, dependent[node] + 1]:
                head[inner], dependent[inner] = head[node], dependent[node]
    return head[:n]


def _contract(
    node: int,
    cycle: list[int],
    head: NDArray[np.intp],
    score: NDArray[np.float64],
    penalty: NDArray[np.intp],
    enters: NDArray[np.intp],
    within: NDArray[np.bool_],
) -> None:
    """Fill the row of `node`: for every head, what entering the cycle gains over its own arc."""
    columns = np.arange(score.shape[1])
    gain = score[cycle] - score[cycle, head[cycle]][:, None]  # (c, n + 1)
    cost = penalty[cycle] - penalty[cycle, head[cycle]][:, None]
    gain[cost > cost.min(axis=0)] = -np.inf
    entry = gain.argmax(axis=0)  # (n + 1,): which node of the cycle
    score[node], penalty[node] = gain[entry, columns], cost[entry, columns]
    enters[node] = enters[np.asarray(cycle)[entry], columns]
    within[node] = within[cycle].any(axis=0)


def _first_best(
    score: NDArray[np.float64], penalty: NDArray[np.intp], allowed: NDArray[np.bool_]
) -> int:
    """Lowest of the allowed heads of least penalty and, among those, greatest score."""
    heads = np.flatnonzero(allowed)
    heads = heads[penalty[heads] == penalty[heads].min()]
    return int(heads[score[heads].argmax()])
