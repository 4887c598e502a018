"""Scores of arcs from heads to words: what decoders take, and the best head of each word."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError


def check_arc_scores(arc_scores: ArrayLike) -> NDArray[np.float64]:
    """Check a matrix of arc scores, and copy it with the arcs from a word to itself forbidden."""
    # arc_scores (n, n + 1) -> (n, n + 1)
    scores = np.array(arc_scores, dtype=np.float64)
    if scores.ndim != 2 or len(scores) < 1 or scores.shape[1] != len(scores) + 1:
        raise TreeError(
            f"arc scores have shape {scores.shape}",
            hint="give (n, n + 1): for each word its score for the root, then for every word",
        )
    words = np.arange(len(scores))
    scores[words, words + 1] = -np.inf
    wrong = np.argwhere(np.isnan(scores) | (scores == np.inf))
    if len(wrong):
        word, head = wrong[0]
        raise TreeError(
            f"the score of head {head} for word {word + 1} (counted from 1) is"
            f" {scores[word, head]}",
            hint="give finite scores, or -inf to forbid an arc",
        )
    return scores


def no_tree(kind: str, sentence: int | None = None) -> TreeError:
    """Say that forbidden arcs leave no tree."""
    return TreeError(
        f"no {kind} with exactly one root without arcs of score -inf",
        hint="allow more arcs",
        sentence=sentence,
    )


def best_heads(arc_scores: ArrayLike) -> NDArray[np.intp]:
    """Find the best-scored head of each word, whatever the others have.

    Parameters
    ----------
    arc_scores : array_like, shape (..., n, n + 1)
        ``arc_scores[..., i, h]`` is the score of head `h` (1-based, 0 = root) for word `i`
        (0-based); ``-inf`` forbids the arc. Arcs from a word to itself are not looked at.

    Returns
    -------
    ndarray of int, shape (..., n)
        The head of each word, 1-based, 0 for the root's and where all arcs are forbidden; the
        lowest of equal ones.

    Examples
    --------
    >>> best_heads([[1, 0, 9], [5, 8, 0]]).tolist()
    [2, 1]
    >>> best_heads([[-np.inf, 0, 9], [-np.inf, -np.inf, 0]]).tolist()
    [2, 0]
    """
    scores = np.array(arc_scores)
    if np.issubdtype(scores.dtype, np.integer):
        scores = scores.astype(np.float64)
    words = np.arange(scores.shape[-2])
    scores[..., words, words + 1] = -np.inf
    best: NDArray[np.intp] = scores.argmax(axis=-1)
    return best
