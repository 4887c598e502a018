"""The best tree for arc scores without crossing arcs: Eisner's algorithm with exactly one root.

Eisner (1996), 'Three new probabilistic models for dependency parsing'. Spans of words are joined
from short to long; all spans of one width, with all the places where each can be split, are one
array operation. The root takes part in the last step alone, which makes it exactly one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.trees.arc_scores import check_arc_scores, no_tree


def eisner(arc_scores: ArrayLike) -> NDArray[np.intp]:
    """Find the projective tree with the highest sum of arc scores and exactly one root (Eisner).

    Parameters
    ----------
    arc_scores : array_like, shape (n, n + 1)
        As for `arborescence`.

    Returns
    -------
    ndarray of int, shape (n,)
        The head of each word, 1-based, 0 for the root. Ties go to the leftmost split of a span and
        to the first root, so the same scores always give the same tree.

    Raises
    ------
    TreeError
        As for `arborescence`.

    Examples
    --------
    Word 2 is the best root (5) and the best head of word 1 (9). Word 1 is the best head of word 3
    (7), but that arc crosses the root's, so word 3 depends on word 2 (6).

    >>> eisner([[0, 0, 9, 0], [5, 0, 0, 0], [0, 7, 6, 0]]).tolist()
    [2, 0, 2]
    """
    scores = check_arc_scores(arc_scores)
    n = len(scores)
    words = np.arange(n)
    # A span of width w holds w + 1 words. `rightward` spans are headed by their first word,
    # `leftward` ones by their last; `open` ones are an arc from end to end that may still gain
    # dependents behind its dependent. `_at` spans are looked up by their first word, `_to` spans by
    # their last.
    rightward_at, rightward_to, leftward_at, leftward_to, open_right_at, open_left_to = np.zeros(
        (6, n, n)
    )
    split = np.zeros((4, n, n), dtype=np.intp)  # by kind, first word and width
    for width in range(1, n):
        first, last = words[:-width], words[width:]
        narrower = np.arange(width)
        # Two closed spans back to back, then an arc over them, either way.
        parts = rightward_at[first, :width] + leftward_to[last][:, narrower[::-1]]  # (spans, width)
        inner, middle = _best(parts)
        split[0, first, width] = split[1, first, width] = middle
        open_right_at[first, width] = inner + scores[last, first + 1]
        open_left_to[last, width] = inner + scores[first, last + 1]
        # An arc and what hangs on its dependent's far side.
        parts = open_right_at[first, 1 : width + 1] + rightward_to[last][:, narrower[::-1]]
        best, middle = _best(parts)
        split[2, first, width] = middle + 1
        rightward_at[first, width] = rightward_to[last, width] = best
        parts = leftward_at[first, :width] + open_left_to[last][:, width - narrower]
        best, middle = _best(parts)
        split[3, first, width] = middle
        leftward_at[first, width] = leftward_to[last, width] = best
    totals = leftward_at[0, words] + rightward_at[words, n - 1 - words] + scores[:, 0]
    root = int(totals.argmax())
    if np.isneginf(totals[root]):
        raise no_tree("projective tree")
    return _read_off(root, split)


def _best(parts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Best sum of each row, and where its first is."""
    where = parts.argmax(axis=1)
    return np.take_along_axis(parts, where[:, None], axis=1)[:, 0], where


def _read_off(root: int, split: NDArray[np.intp]) -> NDArray[np.intp]:
    """Heads of the tree of the chosen splits."""
    n = split.shape[1]
    heads = np.zeros(n, dtype=np.intp)
    # Spans by first word, last word, whether closed, whether headed by the first word.
    spans: list[tuple[int, int, bool, bool]] = [(0, root, True, False), (root, n - 1, True, True)]
    while spans:
        first, last, closed, rightward = spans.pop()
        if first == last:
            continue
        middle = first + int(split[2 * closed + (not rightward), first, last - first])
        if not closed:
            heads[last if rightward else first] = (first if rightward else last) + 1
            spans += [(first, middle, True, True), (middle + 1, last, True, False)]
        elif rightward:
            spans += [(first, middle, False, True), (middle, last, True, True)]
        else:
            spans += [(first, middle, True, False), (middle, last, False, False)]
    return heads
