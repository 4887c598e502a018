"""The best root of an undirected tree, for scores of its arcs in either direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.tree_faults import checked_depths, join_heads


def best_rooted(
    heads: Sequence[ArrayLike], scores: Sequence[ArrayLike], reversed_scores: Sequence[ArrayLike]
) -> list[NDArray[np.intp]]:
    """Turn trees so that their arcs point away from the root with the highest sum of scores.

    An edge has one score for the arc from head to dependent, and another for the reverse. Moving
    the root along an edge changes the direction of that edge alone, so the sum of every root
    follows from that of its neighbour, outwards from the given one. Of equal roots, the first is
    taken.

    >>> [tree.tolist() for tree in best_rooted([[0, 1, 2]], [[0, 1, 0]], [[0, 0, 5]])]
    [[2, 3, 0]]
    """
    # heads, scores, reversed_scores (n,): of each word's arc; that of the root is ignored -> (n,)
    flat, lengths = join_heads(heads)
    depths = checked_depths(flat, lengths)
    if not len(lengths):
        return []
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    above = firsts[sentence] + flat - 1  # (n_words,): the head among all words; not of roots
    gains = np.concatenate([np.asarray(one, np.float64) for one in reversed_scores])
    gains = gains - np.concatenate([np.asarray(one, np.float64) for one in scores])
    gains[flat == 0] = 0
    for words in _by_depth(depths)[1:]:
        gains[words] += gains[above[words]]
    highest = np.maximum.reduceat(gains, firsts)
    best = np.flatnonzero(gains == highest[sentence])
    _, first = np.unique(sentence[best], return_index=True)
    word, head = best[first], np.zeros(len(lengths), np.intp)  # from the new root to the old one
    found = flat.astype(np.intp)
    while len(word):
        following, is_end = above[word], flat[word] == 0
        found[word] = head
        head = (word - firsts[sentence[word]] + 1)[~is_end]
        word = following[~is_end]
    return np.split(found, ends[:-1])


def _by_depth(depths: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Group words by their depth, from 0 on."""
    # depths (n_words,)
    order = np.argsort(depths, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(depths[order])) + 1)
