"""Trees assembled from left to right: an arc is decided once, when the later of its words comes.

All decisions about a new word are taken together, the most probable combination that makes no
cycle: its own head among the words before it, or none yet, and which of the words that have no head
so far it becomes the head of. What was decided is never changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.trees.arc_scores import forbidden_arcs


def attach_left_to_right(log_probabilities: ArrayLike, lengths: ArrayLike) -> NDArray[np.intp]:
    """Attach the words of padded sentences; those that find no head stay open, with head 0.

    A head that has not come yet is chosen with the probability that it has among what is left:
    itself, later words, and no head at all (column 0).
    """
    # log_probabilities (b, n, n + 1), lengths (b,) -> (b, n), -1 in the padding
    logs, lengths = np.asarray(log_probabilities, dtype=np.float64), np.asarray(lengths)
    b, n = logs.shape[:2]
    logs = np.where(forbidden_arcs(logs, lengths, np.arange(b)), -np.inf, logs)
    # rest[:, i, j]: that the head of word i is none of the words before j (0-based)
    rest = np.concatenate([logs[:, :, :1], logs[:, :, :0:-1]], axis=2)
    rest = np.logaddexp.accumulate(rest, axis=2)[:, :, ::-1]  # (b, n, n + 1)
    rows = np.arange(b)
    heads = np.zeros((b, n), dtype=np.intp)
    tops = np.tile(np.arange(n), (b, 1))  # (b, n): the open word above each word
    for j in range(1, n):
        attach, wait = logs[:, :j, j + 1], rest[:, :j, j + 1]  # (b, j)
        taken = (heads[:, :j] == 0) & (attach > wait)
        gain = np.zeros((b, j))
        np.subtract(attach, wait, out=gain, where=taken)
        # A head costs what its open word would gain below the new word: both would be a cycle.
        above = tops[:, :j]
        own = logs[:, j, 1 : j + 1] - np.take_along_axis(gain, above, axis=1)
        best = own.argmax(axis=1)  # (b,)
        found = own[rows, best] > rest[:, j, j + 1]
        heads[found, j] = best[found] + 1
        kept = above[rows, best]  # (b,): the open word above the new head
        taken[rows[found], kept[found]] = False
        tops[found, j] = kept[found]
        heads[:, :j][taken] = j + 1
        below = np.take_along_axis(taken, above, axis=1)
        tops[:, :j] = np.where(below, tops[:, j : j + 1], above)
    heads[np.arange(n) >= lengths[:, None]] = -1
    return heads


def close_open(heads: NDArray[np.intp], root_scores: ArrayLike) -> NDArray[np.intp]:
    """Make trees: the open word with the highest score is the root, and the head of the others."""
    # heads, root_scores (b, n) -> (b, n)
    is_open = heads == 0
    scores = np.where(is_open, np.asarray(root_scores, dtype=np.float64), -np.inf)
    scores[is_open & np.isneginf(scores)] = np.finfo(np.float64).min  # still before no open word
    roots = scores.argmax(axis=1)  # (b,)
    closed = np.where(is_open, roots[:, None] + 1, heads)
    closed[np.arange(len(heads)), roots] = 0
    return closed
